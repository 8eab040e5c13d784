package catalog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// rotation is a watch of a file whose tenant has a secret in a file.
type rotation struct {
	t     *testing.T
	watch *Watch
	log   *lines
	path  string // of the secret
	write func(string)
	looks func(int)
}

const rotating = "models: {one: {targets: [{name: t, api: openai, url: 'http://h', key: 'file:secret'}]}}\n" +
	`tenants: {t: {keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"], secrets: ["file:secret"]}}` + "\n"

// rotate starts a watch whose secret is whsec_1, in a bubble of virtual time.
func rotate(t *testing.T) *rotation {
	t.Helper()
	return rotateReading(t, Secret.resolved)
}

// rotateReading is rotate with what reads secrets when they are checked.
func rotateReading(t *testing.T, read func(Secret) (string, error)) *rotation {
	t.Helper()
	r := &rotation{t: t}
	r.watch, _, r.log, r.write, r.looks = watchBeside(t, rotating, func(dir string) {
		r.path = filepath.Join(dir, "secret")
		r.secret("whsec_1")
	}, func(c *Catalog) error { return c.CheckSecrets(read, whsec) })
	return r
}

// resolved reads a secret where no variable is set.
func (s Secret) resolved() (string, error) { return s.Resolve(func(string) string { return "" }) }

// secret replaces the secret's file by one with the content.
func (r *rotation) secret(content string) {
	r.t.Helper()
	if err := os.WriteFile(r.path+".new", []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(r.path+".new", r.path); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rotation) want(secret string) {
	r.t.Helper()
	if got, err := r.watch.Secret(r.watch.Current().Tenants["t"].Secrets[0]); got != secret || err != nil {
		r.t.Errorf("the secret in force is %q, %v: want %q", got, err, secret)
	}
}

func TestASecretThatChangesInItsFileMakesANewCatalogOfTheSameContent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := rotate(t)
		first := r.watch.Current()
		r.looks(3)
		if r.watch.Current() != first || r.log.take() != "" {
			t.Error("a secret that did not change was taken over")
		}
		r.secret("whsec_2")
		r.want("whsec_1")
		r.looks(1)
		r.want("whsec_1")
		r.looks(1)
		r.want("whsec_2")
		next := r.watch.Current()
		if next == first {
			t.Fatal("it is the same catalog")
		}
		equal(t, "models", next.Models, first.Models)
		equal(t, "tenants", next.Tenants, first.Tenants)
		if got := r.log.take(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "secrets reloaded") || strings.Contains(got, "whsec") {
			t.Errorf("log = %s", got)
		}
		r.looks(3)
		if r.watch.Current() != next || r.log.take() != "" {
			t.Error("it was taken over twice")
		}
	})
}

func TestASecretIsNotReadInTheMidstOfItsChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := rotate(t)
		for _, part := range []string{"", "w", "whsec_"} {
			r.secret(part)
			r.looks(1)
			r.want("whsec_1")
		}
		r.secret("whsec_2")
		r.looks(2)
		r.want("whsec_2")
		if got := r.log.take(); strings.Contains(got, "refused") {
			t.Errorf("a part of a secret was judged: %s", got)
		}
	})
}

func TestASecretThatIsNoneAnyMoreIsReportedOnceAndTheOldOneStays(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*rotation){
		"it is gone":       func(r *rotation) { _ = os.Remove(r.path) },
		"it is empty":      func(r *rotation) { r.secret("\n") },
		"it cannot sign":   func(r *rotation) { r.secret("hunter2") },
		"it is too large":  func(r *rotation) { r.secret(strings.Repeat("hunter2", 10_000)) },
		"it is no file":    func(r *rotation) { _ = os.Remove(r.path); _ = os.Mkdir(r.path, 0o700) },
		"it leads nowhere": func(r *rotation) { _ = os.Remove(r.path); _ = os.Symlink("nowhere", r.path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := rotate(t)
				old := r.watch.Current()
				spoil(r)
				r.looks(5)
				if r.watch.Current() != old {
					t.Error("the catalog was replaced")
				}
				r.want("whsec_1")
				got := r.log.take()
				if !strings.Contains(got, "refused, the old one stays\" changed=secrets") || !strings.Contains(got, "path=tenants.t.secrets[0]") ||
					strings.Contains(got, "hunter2") || strings.Count(got, "tenants.t") != 1 {
					t.Errorf("log = %s: want the fault once", got)
				}
				if err := os.RemoveAll(r.path); err != nil {
					t.Fatal(err)
				}
				r.secret("whsec_2")
				r.looks(2)
				r.want("whsec_2")
			})
		})
	}
}

func TestSecretsAreFollowedWhileTheFileIsBadOrGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := rotate(t)
		r.write(wrong)
		r.looks(3)
		r.secret("whsec_2")
		r.looks(2)
		r.want("whsec_2")
		if err := os.Remove(r.watch.path); err != nil {
			t.Fatal(err)
		}
		r.secret("whsec_3")
		r.looks(2)
		r.want("whsec_3")
		if got := r.log.take(); strings.Count(got, "secrets reloaded") != 2 {
			t.Errorf("log = %s", got)
		}
	})
}

func TestAFileAndItsSecretThatChangeTogetherAreTakenOverOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := rotate(t)
		r.write(strings.Replace(rotating, "one", "two", 1))
		r.secret("whsec_2")
		r.looks(2)
		has(t, r.watch, "two")
		r.want("whsec_2")
		next := r.watch.Current()
		r.looks(3)
		if got := r.log.take(); r.watch.Current() != next || strings.Count(got, "reloaded") != 1 {
			t.Errorf("log = %s", got)
		}
		r.secret("whsec_3")
		r.looks(2)
		r.want("whsec_3")
		has(t, r.watch, "two")
	})
}

func TestASecretThatChangesWhileItIsCheckedIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r *rotation
		changed := false
		r = rotateReading(t, func(s Secret) (string, error) {
			value, err := s.resolved()
			if value == "whsec_2" && !changed {
				changed = true
				r.secret("whsec_3")
			}
			return value, err
		})
		r.secret("whsec_2")
		r.looks(2)
		r.want("whsec_2")
		r.looks(2)
		r.want("whsec_3")
	})
}

func TestASecretInALinkThatKubernetesSwapsIsFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// secret -> ..data/secret, ..data -> v1: ..data is replaced by rename.
		var r *rotation
		link := func(dir, version string) {
			for _, err := range []error{
				os.Symlink(version, filepath.Join(dir, "next")), os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "..data")),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		r = &rotation{t: t}
		var dir string
		stamp := time.Unix(1_700_000_000, 0)
		r.watch, _, r.log, r.write, r.looks = watchBeside(t, rotating, func(in string) {
			dir = in
			for _, version := range []string{"v1", "v2"} {
				path := filepath.Join(dir, version, "secret")
				for _, err := range []error{
					os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("whsec_"+version), 0o600), os.Chtimes(path, stamp, stamp),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			link(dir, "v1")
			if err := os.Symlink(filepath.Join("..data", "secret"), filepath.Join(dir, "secret")); err != nil {
				t.Fatal(err)
			}
		}, func(c *Catalog) error { return c.CheckSecrets(Secret.resolved, whsec) })
		r.want("whsec_v1")
		link(dir, "v2")
		r.looks(2)
		r.want("whsec_v2")
	})
}

func TestASecretThatWasNotCheckedIsReadOrAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "baton.yaml")
	other := filepath.Join(dir, "other")
	for name, content := range map[string]string{
		path: strings.Replace(rotating, "file:secret", "file:key", 1), other: "hunter2",
		filepath.Join(dir, "key"): "sk-1", filepath.Join(dir, "secret"): "whsec_1",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unchecked, err := NewWatch(WatchConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unchecked.Secret("env:X"); got != "" || err == nil || !strings.Contains(err.Error(), "env:X") {
		t.Errorf("Secret = %q, %v: want an error that names the reference", got, err)
	}
	reads := 0
	read := func(s Secret) (string, error) { reads++; return s.resolved() }
	w, err := NewWatch(WatchConfig{Path: path, Accept: func(c *Catalog) error {
		if err := c.CheckTargetKeys(read); err != nil {
			return err
		}
		return c.CheckTenantSecrets(read, whsec)
	}})
	if err != nil {
		t.Fatal(err)
	}
	reads = 0
	for name, want := range map[string]string{"key": "sk-1", "secret": "whsec_1"} {
		if got, err := w.Secret(Secret("file:" + filepath.Join(dir, name))); got != want || err != nil || reads != 0 {
			t.Errorf("Secret = %q, %v after %d readings", got, err, reads)
		}
	}
	if got, err := w.Secret(Secret("file:" + other)); got != "hunter2" || err != nil {
		t.Errorf("Secret = %q, %v", got, err)
	}
	if got, err := w.Secret(Secret("file:" + other + "x")); got != "" || err == nil {
		t.Errorf("Secret = %q, %v", got, err)
	}
}

func TestACatalogThatIsPrintedShowsNoSecret(t *testing.T) {
	t.Parallel()
	c := parse(t, withSecrets)
	if err := c.CheckSecrets(func(Secret) (string, error) { return "whsec_hunter2", nil }, whsec); err != nil {
		t.Fatal(err)
	}
	if got, err := c.secret("env:OPENAI"); got != "whsec_hunter2" || err != nil {
		t.Fatalf("secret = %q, %v", got, err)
	}
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		got := fmt.Sprintf(form, c)
		if strings.Contains(got, "hunter2") || strings.Contains(got, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("%s shows it: %s", form, got)
		}
	}
}
