package npmtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/fstest"

	"baton.dev/baton/internal/npmtest"
)

func TestAnInstallationIsWholeAndMadeOnce(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not installed")
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	files := fstest.MapFS{
		"program/package.json":      {Data: []byte(`{"name":"program","private":true}`)},
		"program/package-lock.json": {Data: []byte(`{"name":"program","lockfileVersion":3,"packages":{"":{"name":"program"}}}`)},
		"program/run.mjs":           {Data: []byte("console.log(1)\n")},
	}
	first, err := npmtest.Install(t.Context(), files, "program", "npmtest")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(first, "run.mjs")); err != nil {
		t.Error(err)
	}
	if again, err := npmtest.Install(t.Context(), files, "program", "npmtest"); err != nil || again != first {
		t.Errorf("installed again at %s, %v", again, err)
	}
	files["program/run.mjs"] = &fstest.MapFile{Data: []byte("console.log(2)\n")}
	if other, err := npmtest.Install(t.Context(), files, "program", "npmtest"); err != nil || other == first {
		t.Errorf("another version is installed at %s, %v", other, err)
	}
}

func TestWithoutNodeTheErrorSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := npmtest.Install(t.Context(), fstest.MapFS{}, "program", "npmtest")
	if err == nil || err.Error() != "node is not installed" {
		t.Errorf("got %v", err)
	}
}
