package catalog

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	path = filepath.Join(t.TempDir(), "baton.yaml")
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
	w, err := NewWatch(WatchConfig{Path: path, Log: slog.New(slog.NewTextHandler(log, nil))})
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
		write(strings.Replace(two, "targets", "cache: 1m, targets", 1))
		looks(2)
		has(t, w, "two")
		if got := log.take(); !strings.Contains(got, "reloaded") || !strings.Contains(got, "cache is not supported yet") {
			t.Errorf("log = %s", got)
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
