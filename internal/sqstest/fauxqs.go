package sqstest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

//go:embed fauxqs
var files embed.FS

// installWait bounds an installation: some 80 packages and 40 MB.
const installWait = 5 * time.Minute

// install returns the directory where fauxqs is installed, and installs it there if it is not. The directory is named for
// what is in it, so that another version is installed beside it; it appears with everything in it, so that packages tested
// at the same time do not see half of it.
func install(ctx context.Context) (string, error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("%s is not installed", program)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	parent := filepath.Join(cache, "baton", "sqstest")
	sum, err := digest()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, "fauxqs-"+sum)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	draft, err := os.MkdirTemp(parent, "installing-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(draft)
	root, err := fs.Sub(files, "fauxqs")
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(draft, root); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, installWait)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	npm.Dir = draft
	if out, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w: %s", err, bytes.TrimSpace(out))
	}
	if err := os.Rename(draft, dir); err != nil {
		if _, other := os.Stat(dir); other != nil {
			return "", err
		}
		// Another process installed it meanwhile.
	}
	return dir, nil
}

// digest returns a short sum of the files that say what is installed.
func digest() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, "fauxqs", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := files.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n", path, len(text))
		sum.Write(text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:6]), err
}

// serverName returns the server's name and version.
func serverName(t testing.TB) string {
	t.Helper()
	text, err := files.ReadFile("fauxqs/package.json")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Dependencies map[string]string }
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	return "fauxqs " + manifest.Dependencies["fauxqs"]
}

// startWait bounds the start of the server, and its end.
const startWait = 30 * time.Second

// launch starts the server that is installed in the directory and returns its address. It ends with the test, or with this
// process, since it reads from a pipe that closes with either.
func launch(t testing.TB, dir string) string {
	t.Helper()
	var stderr bytes.Buffer
	server := exec.Command("node", "start.mjs")
	server.Dir, server.Stderr, server.WaitDelay = dir, &stderr, startWait
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(startWait, func() { _ = server.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	late.Stop()
	if err != nil {
		err = errors.Join(err, server.Wait())
		t.Fatalf("fauxqs did not start: %v\n%s", err, stderr.String())
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		late := time.AfterFunc(startWait, func() { _ = server.Process.Kill() })
		defer late.Stop()
		if err := server.Wait(); err != nil {
			t.Errorf("fauxqs ended with %v\n%s", err, stderr.String())
		}
	})
	return strings.TrimSpace(line)
}
