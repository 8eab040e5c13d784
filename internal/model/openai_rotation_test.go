package model_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
)

// journal is a log that may be written and read at once.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) has(what string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.buf.String(), what)
}

func TestACredentialRotatesOnDiskAndNoCallGoesWithoutOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".next", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".next", path); err != nil {
			t.Fatal(err)
		}
	}
	var key string // that the last call came with
	_, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
		key = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		_, _ = io.WriteString(w, completion)
	})
	write("key", "sk-first\n")
	write("baton.yaml", "models: {m: {targets: [{name: main, api: openai, url: '"+call.Target.URL+"', key: 'file:key'}]}}\n")
	var log journal
	watch, err := catalog.NewWatch(catalog.WatchConfig{
		Path: filepath.Join(dir, "baton.yaml"), Interval: time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Accept: func(c *catalog.Catalog) error {
			return c.CheckTargetKeys(func(s catalog.Secret) (string, error) { return s.Resolve(func(string) string { return "" }) })
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	watch.Start()
	t.Cleanup(watch.Stop)
	client := model.NewOpenAI(model.OpenAIConfig{Key: watch.Secret})
	t.Cleanup(client.Close)
	callUntil := func(what string, done func() bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for ctx.Err() == nil {
			call.Target, _, _ = watch.Current().Target("main")
			if _, err := client.Call(t.Context(), call); err != nil {
				t.Fatal(err)
			}
			if done() {
				return
			}
		}
		t.Fatalf("no call came %s: the last had the key %q", what, key)
	}

	callUntil("with the first key", func() bool { return key == "sk-first" })
	write("key", "hunter2\nof two lines")
	callUntil("after what is no key was refused", func() bool { return log.has("refused, the old one stays\" changed=secrets") })
	callUntil("with the first key still", func() bool { return key == "sk-first" })
	if err := os.Remove(filepath.Join(dir, "key")); err != nil {
		t.Fatal(err)
	}
	callUntil("after the file was gone", func() bool { return log.has("no such file") })
	callUntil("with the first key still", func() bool { return key == "sk-first" })
	write("key", "sk-second\n")
	callUntil("with the second key", func() bool { return key == "sk-second" })
	for _, never := range []string{"sk-first", "sk-second", "hunter2"} {
		if log.has(never) {
			t.Errorf("the log of the watch holds %q", never)
		}
	}
}
