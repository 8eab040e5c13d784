package catalog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const withSecrets = `models:
  gpt-4:
    targets:
      - {name: a, api: openai, url: https://x.example.com/v1, key: env:GONE}
      - {name: b, api: openai, url: https://y.example.com/v1, key: env:OPENAI}
      - {name: c, api: openai, url: https://z.example.com/v1}
tenants:
  search:
    keys: ["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
    secrets: [env:WHSEC, env:OPENAI, file:/none/there, env:GONE]
  batch: {keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"]}
`

// environment has a key of an API and a secret for callbacks.
func environment(s Secret) (string, error) {
	return s.Resolve(func(name string) string {
		return map[string]string{"OPENAI": "sk-hunter2", "WHSEC": "whsec_hunter2"}[name]
	})
}

func whsec(secret string) error {
	if !strings.HasPrefix(secret, "whsec_") {
		return errors.New("does not begin with whsec_")
	}
	return nil
}

func TestSecretsAreCheckedWithTheirPlaceInTheFile(t *testing.T) {
	t.Parallel()
	c := parse(t, withSecrets)
	targets := `baton.yaml:4:68: models.gpt-4.targets[0].key: does not resolve: env:GONE: the variable is not set or empty`
	tenants := `baton.yaml:10:26: tenants.search.secrets[1]: env:OPENAI holds no secret that signs callbacks: does not begin with whsec_
baton.yaml:10:38: tenants.search.secrets[2]: does not resolve: file:/none/there: no such file or directory
baton.yaml:10:56: tenants.search.secrets[3]: does not resolve: env:GONE: the variable is not set or empty`
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"all":                         {c.CheckSecrets(environment, whsec), targets + "\n" + tenants},
		"the credentials of targets":  {c.CheckTargetKeys(environment), targets},
		"the secrets of tenants":      {c.CheckTenantSecrets(environment, whsec), tenants},
		"the secrets, of any form":    {c.CheckTenantSecrets(environment, nil), strings.Join(strings.Split(tenants, "\n")[1:], "\n")},
		"of a catalog made in code":   {(&Catalog{}).CheckSecrets(environment, whsec), "<nil>"},
		"of a file that refers to no": {parse(t, one).CheckSecrets(environment, whsec), "<nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			equal(t, "error", fmt.Sprint(tc.err), tc.want)
			if _, ok := errors.AsType[*Faults](tc.err); ok != (tc.err != nil) {
				t.Errorf("err is a %T: want *Faults", tc.err)
			}
		})
	}
}

func TestACredentialThatNoHeaderCanCarryIsAFault(t *testing.T) {
	t.Parallel()
	const want = "baton.yaml:4:68: models.gpt-4.targets[0].key: env:GONE holds no credential: " +
		"expected one line of visible ASCII, without a space at its ends"
	c := parse(t, withSecrets)
	for credential, good := range map[string]bool{
		"sk-hunter2": true, "Key hunter2": true, "hunter2\n": false, "hunter2\nX-Evil: 1": false, " hunter2": false, "hunter2\r": false,
		"hüntér2": false, "hunter2\x00": false, "\tk": false,
	} {
		err := c.CheckTargetKeys(func(s Secret) (string, error) {
			if s == "env:GONE" {
				return credential, nil
			}
			return "sk-hunter2", nil
		})
		if good != (err == nil) || err != nil && err.Error() != want {
			t.Errorf("%q: %v", credential, err)
		}
	}
}

func TestSecretsThatAreGoodPassTheCheck(t *testing.T) {
	t.Parallel()
	good := func(Secret) (string, error) { return "whsec_hunter2", nil }
	if err := parse(t, withSecrets).CheckSecrets(good, whsec); err != nil {
		t.Error(err)
	}
}

func TestASecretIsReadOnceForACheck(t *testing.T) {
	t.Parallel()
	reads := map[Secret]int{}
	err := parse(t, withSecrets).CheckSecrets(func(s Secret) (string, error) {
		reads[s]++
		return "", errors.New("gone")
	}, whsec)
	equal(t, "reads", reads, map[Secret]int{"env:GONE": 1, "env:OPENAI": 1, "env:WHSEC": 1, "file:/none/there": 1})
	if faults, ok := errors.AsType[*Faults](err); !ok || faults.Len() != 6 {
		t.Errorf("err = %v: want a fault for each of the 6 references", err)
	}
}

// TestNoSecretIsInTheErrorOfACheck has those who are asked tell on purpose what they must not.
func TestNoSecretIsInTheErrorOfACheck(t *testing.T) {
	t.Parallel()
	c := parse(t, withSecrets)
	for _, secret := range []string{"hunter2", "whsec_hunter2", " whsec_hunter2\n", "a_hunter2_b", "hunter2\nof two lines"} {
		for _, form := range []string{"is %s", "is %q", "is wrong:\n%s", "%s"} {
			err := c.CheckSecrets(
				func(s Secret) (string, error) {
					if s == "env:GONE" {
						return secret, fmt.Errorf("could not use "+form, secret)
					}
					return secret, nil
				},
				func(secret string) error {
					_, encoded, _ := strings.Cut(strings.TrimSpace(secret), "_")
					return errors.Join(fmt.Errorf(form, secret), fmt.Errorf(form, encoded))
				})
			faults, ok := errors.AsType[*Faults](err)
			if !ok {
				t.Fatalf("%T: want *Faults", err)
			}
			for f := range faults.All() {
				if s := f.String(); strings.Contains(s, "hunter2") || strings.Contains(s, "\n") {
					t.Fatalf("of secret %q and the error %q: %s", secret, form, s)
				}
			}
		}
	}
}

func TestARelativeSecretFileIsBesideTheConfiguration(t *testing.T) {
	t.Parallel()
	const src = `models:
  m:
    targets:
      - {name: a, api: openai, url: https://x.example.com/v1, key: file:secrets/key}
      - {name: b, api: openai, url: https://x.example.com/v1, key: file:/run/secrets/key}
      - {name: c, api: openai, url: https://x.example.com/v1, key: env:KEY}
tenants:
  t:
    keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"]
    secrets: ["file:./whsec", "file:../up"]
`
	dir := t.TempDir()
	write := func(content string, name ...string) string {
		path := filepath.Join(append([]string{dir}, name...)...)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write(src, "conf", "baton.yaml")
	write("the key\n", "conf", "secrets", "key")
	write("whsec_here\n", "conf", "whsec")
	write("whsec_up\n", "up")
	read := func(s Secret) string {
		t.Helper()
		value, err := s.Resolve(func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	watched, err := NewWatch(WatchConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	for how, c := range map[string]*Catalog{"loaded": load(t, path), "watched": watched.Current()} {
		targets := c.Models["m"].Targets
		equal(t, how+" keys", []string{read(targets[0].Key), string(targets[1].Key), string(targets[2].Key)},
			[]string{"the key", "file:/run/secrets/key", "env:KEY"})
		equal(t, how+" secrets", []string{read(c.Tenants["t"].Secrets[0]), read(c.Tenants["t"].Secrets[1])},
			[]string{"whsec_here", "whsec_up"})
		err := c.CheckTenantSecrets(func(s Secret) (string, error) { return s.Resolve(os.Getenv) }, nil)
		if err != nil {
			t.Errorf("%s: %v", how, err)
		}
	}
	equal(t, "parsed", parse(t, src).Models["m"].Targets[0].Key, Secret("file:secrets/key"))
}
