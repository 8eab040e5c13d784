package objects

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Bounds of what describes an object: S3 takes keys of 1024 bytes and 2 KiB of metadata, and the stores keep a little there
// themselves.
const (
	maxKey      = 512
	maxMetadata = 1536
)

// reserved is what the names of the metadata begin with that stores keep for themselves.
const reserved = "baton-"

// CheckKey returns why no object can have the key, or nil. A key is one or more words of a-z A-Z 0-9 . _ -, with a slash
// between them, and 512 bytes at most.
func CheckKey(key string) error {
	if len(key) > maxKey {
		return fmt.Errorf("objects: a key of %d bytes: %d at most", len(key), maxKey)
	}
	for word := range strings.SplitSeq(key, "/") {
		if word == "" || word == "." || word == ".." || strings.ContainsFunc(word, notOfKey) {
			return fmt.Errorf("objects: key %q: want words of a-z A-Z 0-9 . _ - with a slash between them", key)
		}
	}
	return nil
}

func notOfKey(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
}

// Check returns why no object can be described so, or nil: by its key, its type, or its metadata, whose names are of a-z, 0-9
// and - and do not begin with baton-, whose values are printable ASCII, and which has 1536 bytes at most.
func (in Info) Check() error {
	if err := CheckKey(in.Key); err != nil {
		return err
	}
	if strings.ContainsFunc(in.Type, notPrintable) {
		return fmt.Errorf("objects: put %s: the type is not printable ASCII", in.Key)
	}
	return in.CheckMetadata()
}

// CheckMetadata returns what is wrong with the metadata, or nil.
func (in Info) CheckMetadata() error {
	size := 0
	for name, value := range in.Metadata {
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || strings.HasPrefix(name, reserved) {
			return fmt.Errorf("objects: put %s: metadata %q: a name is of a-z, 0-9 and -, and does not begin with %s",
				in.Key, name, reserved)
		}
		if strings.ContainsFunc(value, notPrintable) {
			return fmt.Errorf("objects: put %s: metadata %s is not printable ASCII", in.Key, name)
		}
		size += len(name) + len(value)
	}
	if size > maxMetadata {
		return errors.New("objects: put " + in.Key + ": the metadata is too large")
	}
	return nil
}

func notPrintable(c rune) bool { return c < ' ' || c > '~' }

// Expired reports whether the object is past its Expires.
func (in Info) Expired(now time.Time) bool { return !in.Expires.IsZero() && !now.Before(in.Expires) }
