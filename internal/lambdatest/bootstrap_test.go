package lambdatest_test

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// packages are the functions as they are deployed, built once for all tests of the package.
var packages = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(workDir, "packages")
	cmd := exec.Command("go", "run", "./internal/lambdazip", "-out", dir, "-os", runtime.GOOS, "-arch", runtime.GOARCH)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the functions: %w\n%s", err, out)
	}
	return filepath.Join(dir, runtime.GOARCH), nil
})

// workDir is where the tests of the package keep what they share.
var workDir string

func TestMain(m *testing.M) {
	var err error
	if workDir, err = os.MkdirTemp("", "lambdatest-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	_ = os.RemoveAll(workDir)
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// bootstrap unpacks a function as Lambda does, and returns its program and the size of its package.
func bootstrap(t *testing.T, function string) (program string, size int64) {
	t.Helper()
	dir, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, function+".zip")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	program = filepath.Join(t.TempDir(), "bootstrap")
	from, err := archive.Open("bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	to, err := os.OpenFile(program, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return program, info.Size()
}
