package catalog

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// lines collects a log. It is safe for concurrent use.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

// take returns what was logged since the last call.
func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.buf.Reset()
	return l.buf.String()
}

const (
	one   = "models:\n  one: {targets: [{name: t, api: simulated}]}\n"
	two   = "models:\n  two: {targets: [{name: t, api: simulated}]}\n"
	wrong = "models:\n  one: {targets: [{name: T, api: simulated, key: hunter2}]}\n"
)

// watch starts a watch of a file in a bubble of virtual time, and returns what writes the file, by rename as editors do, and
// lets n looks at it pass.
func watch(t *testing.T, src string) (w *Watch, path string, log *lines, write func(string), looks func(n int)) {
	t.Helper()
	return watchAccepting(t, src, nil)
}

// watchAccepting is watch with what says which catalogs are accepted.
func watchAccepting(t *testing.T, src string, accept func(*Catalog) error) (
	w *Watch, path string, log *lines, write func(string), looks func(n int),
) {
	t.Helper()
	return watchBeside(t, src, func(string) {}, accept)
}

// watchBeside is watchAccepting with what puts files beside the watched one before the watch begins.
func watchBeside(t *testing.T, src string, put func(dir string), accept func(*Catalog) error) (
	w *Watch, path string, log *lines, write func(string), looks func(n int),
) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "baton.yaml")
	put(filepath.Dir(path))
	write = func(src string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write(src)
	log = &lines{}
	w, err := NewWatch(WatchConfig{Path: path, Log: slog.New(slog.NewTextHandler(log, nil)), Accept: accept})
	if err != nil {
		t.Fatal(err)
	}
	w.Start()
	t.Cleanup(w.Stop)
	<-time.After(DefaultInterval / 2) // between two looks
	looks = func(n int) {
		<-time.After(time.Duration(n) * DefaultInterval)
		synctest.Wait()
	}
	return w, path, log, write, looks
}

func has(t *testing.T, w *Watch, model string) {
	t.Helper()
	if _, ok := w.Current().Models[model]; !ok {
		t.Errorf("the current catalog has no model %s", model)
	}
}

func TestAValidNewFileIsTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, log, write, looks := watch(t, one)
		first := w.Current()
		looks(3)
		if w.Current() != first || log.take() != "" {
			t.Error("a file that did not change was taken over")
		}
		write(two)
		looks(2)
		has(t, w, "two")
		got := log.take()
		for _, want := range []string{"reloaded", "models=1 tenants=0", "path=tenants problem=\"there are none, so"} {
			if !strings.Contains(got, want) {
				t.Errorf("the log lacks %q: %s", want, got)
			}
		}
	})
}

func TestAChangeIsNotTakenOverBeforeItStandsForAnInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, log, write, looks := watch(t, one)
		write(two[:len(two)-3])
		looks(1)
		write(two)
		looks(1)
		has(t, w, "one")
		looks(1)
		has(t, w, "two")
		if got := log.take(); strings.Contains(got, "refused") {
			t.Errorf("half a file was judged: %s", got)
		}
	})
}

func TestABadNewFileIsReportedOnceAndTheOldCatalogStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, path, log, write, looks := watch(t, one)
		old := w.Current()
		write(wrong)
		looks(2)
		if w.Current() != old {
			t.Error("a bad file was taken over")
		}
		got := log.take()
		for _, want := range []string{
			"level=ERROR", "file=" + path + " line=2", "path=models.one.targets[0].name", "path=models.one.targets[0].key",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("the log lacks %q: %s", want, got)
			}
		}
		if strings.Contains(got, "hunter2") || strings.Count(got, "\n") != 3 {
			t.Errorf("log = %s: want a line for each fault, without the secret", got)
		}
		looks(5)
		if got := log.take(); got != "" {
			t.Errorf("the same bad file was reported again: %s", got)
		}
		write(two)
		looks(2)
		has(t, w, "two")
	})
}

func TestAFileThatIsGoneIsReportedOnceAndTakenOverWhenItIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, path, log, write, looks := watch(t, one)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		looks(4)
		has(t, w, "one")
		if got := log.take(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "no such file") {
			t.Errorf("log = %s: want one line", got)
		}
		write(two)
		looks(2)
		has(t, w, "two")
	})
}

func TestALinkThatIsSwappedIsFollowed(t *testing.T) {
	t.Parallel()
	// Kubernetes mounts a config map as a link to a directory, which it replaces; sizes and times may be the same.
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		stamp := time.Unix(1_700_000_000, 0)
		for name, src := range map[string]string{"v1": one, "v2": two} {
			if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, name, "baton.yaml")
			if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, stamp, stamp); err != nil {
				t.Fatal(err)
			}
		}
		link := func(to string) {
			if err := os.Symlink(to, filepath.Join(dir, "next")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "data")); err != nil {
				t.Fatal(err)
			}
		}
		link("v1")
		w, err := NewWatch(WatchConfig{
			Path: filepath.Join(dir, "data", "baton.yaml"), Interval: time.Minute, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Start()
		defer w.Stop()
		has(t, w, "one")
		link("v2")
		<-time.After(2*time.Minute + time.Second)
		synctest.Wait()
		has(t, w, "two")
	})
}

func TestAWatchBeginsWithAValidFileOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "baton.yaml")
	if _, err := NewWatch(WatchConfig{Path: path}); err == nil {
		t.Error("a watch of no file was made")
	}
	if err := os.WriteFile(path, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewWatch(WatchConfig{Path: path}); err == nil {
		t.Error("a watch of a bad file was made")
	}
}

func TestAWatchBeginsWithWhatIsAcceptedOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "baton.yaml")
	if err := os.WriteFile(path, []byte(one), 0o600); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	var asked *Catalog
	cfg := WatchConfig{Path: path, Accept: func(c *Catalog) error { asked = c; return no }}
	if w, err := NewWatch(cfg); w != nil || !errors.Is(err, no) || asked == nil || asked.Models["one"] == nil {
		t.Errorf("NewWatch = %v, %v, asked of %v", w, err, asked)
	}
	cfg.Accept = func(c *Catalog) error { asked = c; return nil }
	w, err := NewWatch(cfg)
	if err != nil || w.Current() != asked {
		t.Errorf("NewWatch: %v, the catalog that was accepted is the current one: %v", err, w != nil && w.Current() == asked)
	}
}

func TestANewFileThatIsNotAcceptedIsReportedOnceAndAskedAboutAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var present atomic.Pointer[string] // what a secret is read as, so that the test can change it
		set := func(secret string) { present.Store(&secret) }
		set("")
		read := func(s Secret) (string, error) { return s.Resolve(func(string) string { return *present.Load() }) }
		w, path, log, write, looks := watchAccepting(t, one, func(c *Catalog) error { return c.CheckSecrets(read, whsec) })
		old := w.Current()
		write(withSecrets)
		looks(4)
		if w.Current() != old {
			t.Error("what is not accepted was taken over")
		}
		got := log.take()
		for _, want := range []string{
			"level=ERROR", "file=" + path + " line=4 column=68 path=models.gpt-4.targets[0].key", "line=10 column=26",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("the log lacks %q: %s", want, got)
			}
		}
		if strings.Count(got, "\n") != 6 {
			t.Errorf("log = %s: want one line for each of 6 faults", got)
		}

		set("sk-hunter2")
		looks(2)
		if got := log.take(); w.Current() != old || strings.Count(got, "\n") != 4 || strings.Contains(got, "hunter2") {
			t.Errorf("log = %s: want one line for each of 4 other faults, without the secret", got)
		}

		write(strings.Replace(withSecrets, "file:/none/there", "env:THERE", 1))
		set("whsec_hunter2")
		looks(2)
		has(t, w, "gpt-4")
		if got := log.take(); !strings.Contains(got, "reloaded") || strings.Contains(got, "hunter2") {
			t.Errorf("log = %s", got)
		}
	})
}

func TestWhatIsNotAcceptedForNowIsTakenOverLaterThoughTheFileStands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ready atomic.Bool
		var asked atomic.Int64
		w, _, log, write, looks := watchAccepting(t, one, func(c *Catalog) error {
			asked.Add(1)
			if c.Models["two"] != nil && !ready.Load() {
				return errors.New("a secret is not there yet")
			}
			return nil
		})
		write(two)
		looks(3)
		has(t, w, "one")
		if got := log.take(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "a secret is not there yet") {
			t.Errorf("log = %s: want one line", got)
		}
		ready.Store(true)
		looks(1)
		has(t, w, "two")
		before := asked.Load()
		looks(3)
		if got := asked.Load(); got != before {
			t.Errorf("what was accepted was asked about %d times more", got-before)
		}
	})
}

func TestStopMayBeCalledWithoutStartAndTwice(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "baton.yaml")
	if err := os.WriteFile(path, []byte(one), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, start := range []int{0, 1, 2} {
		w, err := NewWatch(WatchConfig{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		for range start {
			w.Start()
		}
		w.Stop()
		w.Stop()
		w.Start()
		has(t, w, "one")
	}
}

func TestAStaticCatalogStands(t *testing.T) {
	t.Parallel()
	c := parse(t, one)
	if current := Static(c); current() != c {
		t.Error("it is another")
	}
}
