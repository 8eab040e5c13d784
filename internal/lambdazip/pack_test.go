package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// content writes a file, as if at the given time, and returns its path.
func content(t *testing.T, text string, at time.Time) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
	return path
}

func packed(t *testing.T, program, config string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.zip")
	if err := packFile(out, program, config); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheSameContentMakesTheSameBytes(t *testing.T) {
	t.Parallel()
	then, now := time.Unix(1_000_000_000, 0), time.Now()
	one := packed(t, content(t, "program", then), content(t, "config", then))
	other := packed(t, content(t, "program", now), content(t, "config", now))
	if !bytes.Equal(one, other) {
		t.Error("the archives differ")
	}
	if bytes.Equal(one, packed(t, content(t, "another", then), content(t, "config", then))) {
		t.Error("another program makes the same archive")
	}
}

func TestTheArchiveIsWhatLambdaWants(t *testing.T) {
	t.Parallel()
	b := packed(t, content(t, "program", time.Now()), content(t, "config", time.Now()))
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name, text string
		mode       os.FileMode
	}{{"bootstrap", "program", 0o755}, {"baton.yaml", "config", 0o644}}
	if len(r.File) != len(want) {
		t.Fatalf("%d files, want %d", len(r.File), len(want))
	}
	for i, w := range want {
		f := r.File[i]
		entry, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(entry)
		if err != nil || f.Name != w.name || f.Mode() != w.mode || string(text) != w.text || !f.Modified.Equal(made) {
			t.Errorf("file %d is %s %v of %v %q, %v", i, f.Name, f.Mode(), f.Modified, text, err)
		}
	}
}

func TestAConfigurationThatIsMissingIsSaid(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	if err := packFile(filepath.Join(t.TempDir(), "out.zip"), content(t, "program", time.Now()), none); err == nil {
		t.Error("a configuration that is not there is packed")
	}
}
