package attachments

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"baton.dev/baton/internal/objects"
)

// FilesPrefix returns what the keys of a tenant's files begin with.
func FilesPrefix(tenant string) string { return "files/" + tenant + "/" }

// FileKey returns the key of a tenant's file. The id must be valid.
func FileKey(tenant, id string) string { return FilesPrefix(tenant) + id }

const fileIDPrefix = "file-"

// NewFileID returns the id of a new file, which nobody can guess.
func NewFileID() string { return fileIDPrefix + rand.Text() }

// ValidFileID reports whether a caller's text can be the id of a file: "file-" and 1 to 64 letters and digits.
func ValidFileID(id string) bool {
	name, ok := strings.CutPrefix(id, fileIDPrefix)
	return ok && name != "" && len(name) <= 64 && !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	})
}

// FileLifetime is how long a file is kept whose uploader says nothing less.
const FileLifetime = 48 * time.Hour

// MaxFilename bounds a file's name, in bytes.
const MaxFilename = 255

// File is a file of a tenant: an object whose metadata says what OpenAI's file object does.
type File struct {
	ID       string
	Filename string // up to [MaxFilename] bytes of UTF-8
	Purpose  string
	Type     string // media type; empty: unknown
	Size     int64
	Digest   string // as [objects.Info] has it
	Created  time.Time
	Expires  time.Time
}

// Names of a file's metadata.
const (
	filenameName = "filename" // percent-encoded
	purposeName  = "purpose"
	untilName    = "until" // in seconds of Unix time, where it is earlier than the object's
)

// Info returns the object that the file is. Its metadata is for [objects.Store.Put] to look at when the content has ended: a
// name, a purpose and an expiry that come after the content are written there by [File.Describe].
func (f File) Info(tenant string) objects.Info {
	in := objects.Info{
		Key: FileKey(tenant, f.ID), Type: f.Type, Size: f.Size, Digest: f.Digest, Expires: f.Expires, Metadata: map[string]string{},
	}
	f.Describe(in.Metadata)
	return in
}

// Describe writes what the file's metadata says of it.
func (f File) Describe(metadata map[string]string) {
	metadata[filenameName] = url.PathEscape(f.Filename)
	metadata[purposeName] = f.Purpose
	if !f.Expires.IsZero() {
		metadata[untilName] = strconv.FormatInt(f.Expires.Unix(), 10)
	}
}

// FileOf returns the file that an object is, and whether it is one that has not expired.
func FileOf(info objects.Info, now time.Time) (File, bool) {
	f := File{
		ID: info.Key[strings.LastIndexByte(info.Key, '/')+1:], Purpose: info.Metadata[purposeName], Type: info.Type,
		Size: info.Size, Digest: info.Digest, Created: info.Created, Expires: info.Expires,
	}
	f.Filename, _ = url.PathUnescape(info.Metadata[filenameName])
	if until, err := strconv.ParseInt(info.Metadata[untilName], 10, 64); err == nil {
		f.Expires = time.Unix(until, 0).UTC()
	}
	return f, f.Expires.IsZero() || now.Before(f.Expires)
}

// StatFile returns what is known of a tenant's file, or an error that is [objects.ErrNotFound].
func StatFile(ctx context.Context, store objects.Store, tenant, id string) (File, error) {
	if !ValidFileID(id) {
		return File{}, fmt.Errorf("%w: a file", objects.ErrNotFound)
	}
	info, err := store.Stat(ctx, FileKey(tenant, id))
	if err != nil {
		return File{}, err
	}
	f, alive := FileOf(info, time.Now())
	if !alive {
		return File{}, fmt.Errorf("%w: %s", objects.ErrNotFound, info.Key)
	}
	return f, nil
}

// OpenFile opens a tenant's file, as [objects.Store.Get] does.
func OpenFile(ctx context.Context, store objects.Store, tenant, id string) (File, io.ReadCloser, error) {
	if !ValidFileID(id) {
		return File{}, nil, fmt.Errorf("%w: a file", objects.ErrNotFound)
	}
	info, content, err := store.Get(ctx, FileKey(tenant, id))
	if err != nil {
		return File{}, nil, err
	}
	f, alive := FileOf(info, time.Now())
	if !alive {
		_ = content.Close()
		return File{}, nil, fmt.Errorf("%w: %s", objects.ErrNotFound, info.Key)
	}
	return f, content, nil
}

// PutFile stores a file of the tenant, whole or not at all, and returns what StatFile then returns.
func PutFile(ctx context.Context, store objects.Store, tenant string, f File, content io.Reader) (File, error) {
	info, err := store.Put(ctx, f.Info(tenant), content)
	if err != nil {
		return File{}, err
	}
	f, _ = FileOf(info, time.Time{})
	return f, nil
}
