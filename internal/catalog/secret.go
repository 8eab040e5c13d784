package catalog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Secret is a reference to a secret, env:NAME or file:PATH, and never the secret itself. The empty Secret refers to none.
//
// A relative path in a file is one from the directory that the file is in, as the file was named, and [Load] and [NewWatch]
// make it so. One that is left relative is taken from the directory the process was started in.
type Secret string

// maxSecret is more than any key has, and a system's bundle of authorities, which is some hundred KiB; it keeps a wrong path
// from being read whole.
const maxSecret = 512 << 10

// resolving begins the errors of Resolve, before the reference.
const resolving = "catalog: resolve secret "

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// well reports whether the reference is well formed. What is not may be a secret pasted in place of its reference, and must
// not be shown.
func (s Secret) well() bool {
	if name, ok := strings.CutPrefix(string(s), "env:"); ok {
		return envName.MatchString(name)
	}
	path, ok := strings.CutPrefix(string(s), "file:")
	return ok && path != "" && !strings.ContainsFunc(path, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// from returns the reference with a relative path taken from the directory.
func (s Secret) from(dir string) Secret {
	if path, ok := strings.CutPrefix(string(s), "file:"); ok && !filepath.IsAbs(path) {
		return Secret("file:" + filepath.Join(dir, path))
	}
	return s
}

// Resolve returns the secret referred to: the variable as getenv returns it, or the file's content without one newline at its
// end. A secret that is empty or longer than 512 KiB is an error. Errors name the reference, never the value.
func (s Secret) Resolve(getenv func(string) string) (string, error) {
	if !s.well() {
		return "", errors.New("catalog: resolve secret: not a reference of the form env:NAME or file:PATH")
	}
	if name, ok := strings.CutPrefix(string(s), "env:"); ok {
		if value := getenv(name); value != "" {
			return value, nil
		}
		return "", fmt.Errorf("%s%s: the variable is not set or empty", resolving, s)
	}
	value, err := readSecret(strings.TrimPrefix(string(s), "file:"))
	if err != nil {
		return "", fmt.Errorf("%s%s: %w", resolving, s, err)
	}
	return value, nil
}

func readSecret(path string) (string, error) {
	b, err := readAtMost(path, maxSecret)
	if err != nil {
		return "", err
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if value == "" {
		return "", errors.New("the file is empty")
	}
	return value, nil
}

// readAtMost returns the file's content. Its errors leave out the path, which its callers name.
func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = f.Close() }() // read only: there is nothing to lose
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("the file is over %d bytes", limit)
	}
	return b, nil
}

func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
