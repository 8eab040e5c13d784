package catalog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretsAreResolvedFromTheirReference(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) Secret {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return Secret("file:" + path)
	}
	getenv := func(name string) string { return map[string]string{"SET": "hunter2", "LINES": "a\n"}[name] }
	for ref, want := range map[Secret]string{
		"env:SET":                       "hunter2",
		"env:LINES":                     "a\n",
		file("plain", "hunter2"):        "hunter2",
		file("newline", "hunter2\n"):    "hunter2",
		file("crlf", "hunter2\r\n"):     "hunter2",
		file("newlines", "hunter2\n\n"): "hunter2\n",
	} {
		if got, err := ref.Resolve(getenv); got != want || err != nil {
			t.Errorf("%s = %q, %v: want %q", ref, got, err, want)
		}
	}
	for ref, want := range map[Secret]string{
		"env:UNSET":            "catalog: resolve secret env:UNSET: the variable is not set or empty",
		"file:" + "none/there": "catalog: resolve secret file:none/there: no such file or directory",
	} {
		if got, err := ref.Resolve(getenv); got != "" || err == nil || err.Error() != want {
			t.Errorf("%s = %q, %v: want %s", ref, got, err, want)
		}
	}
	for _, ref := range []Secret{file("empty", ""), file("blank", "\n"), file("large", strings.Repeat("x", maxSecret+1))} {
		if got, err := ref.Resolve(getenv); got != "" || err == nil || !strings.Contains(err.Error(), string(ref)+": the file is ") {
			t.Errorf("%s = %q, %v", ref, got, err)
		}
	}
	if _, err := Secret("file:none/there").Resolve(getenv); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("err = %v: want fs.ErrNotExist", err)
	}
	for _, ref := range []Secret{"", "hunter2", "env:", "env:hunter2-x", "file:", "file:\nhunter2", "vault:hunter2", "ENV:hunter2"} {
		got, err := ref.Resolve(func(string) string { return "hunter2" })
		if got != "" || err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q = %q, %v: want an error that does not show it", ref, got, err)
		}
	}
}
