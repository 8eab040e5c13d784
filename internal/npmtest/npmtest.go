// Package npmtest installs programs of Node's for tests: once, from a lock file in the tree, into the user's cache directory.
// Nothing needs a network after that.
package npmtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// installWait bounds an installation: some 80 packages and 40 MB.
const installWait = 5 * time.Minute

// Install returns a directory with everything that stands in dir of files, and in it what its package-lock.json names; owner is
// the package whose test it is for. The directory is named for what is in it, so that another version is installed beside it;
// it appears with everything in it, so that packages tested at the same time do not see half of it.
//
// Its error says what is missing: node, npm, or a network for the first time.
func Install(ctx context.Context, files fs.FS, dir, owner string) (string, error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("%s is not installed", program)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	parent := filepath.Join(cache, "baton", owner)
	sum, err := digest(files, dir)
	if err != nil {
		return "", err
	}
	installed := filepath.Join(parent, dir+"-"+sum)
	if _, err := os.Stat(installed); err == nil {
		return installed, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	draft, err := os.MkdirTemp(parent, "installing-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(draft)
	root, err := fs.Sub(files, dir)
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
	if err := os.Rename(draft, installed); err != nil {
		if _, other := os.Stat(installed); other != nil {
			return "", err
		}
		// Another process installed it meanwhile.
	}
	return installed, nil
}

// digest returns a short sum of the files that say what is installed.
func digest(files fs.FS, dir string) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		fmt.Fprintf(sum, "%s %d\n", path, len(text))
		sum.Write(text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:6]), err
}
