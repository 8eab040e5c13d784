// Package objects keeps what is too large for an event: parts of requests, requests, and files that callers upload.
package objects

import (
	"context"
	"errors"
	"io"
	"time"
)

var (
	// ErrNotFound is for an object that is not there, or no longer.
	ErrNotFound = errors.New("objects: no such object")
	// ErrAltered is for an object whose content is not what was put. It comes in the place of the end of the content, when all
	// of it is read.
	ErrAltered = errors.New("objects: the object is not what was stored")
)

// Info describes an object.
type Info struct {
	Key      string // slash-separated, of a-z A-Z 0-9 . _ - ; 512 bytes at most
	Size     int64  // in bytes
	Digest   string // SHA-256 of the content, in hex
	Type     string // media type; empty: unknown
	Created  time.Time
	Expires  time.Time         // when it may be removed; zero: the store's own time
	Metadata map[string]string // small, ASCII
}

// Store is where objects are kept. It must be safe for concurrent use.
type Store interface {
	// Put stores the content under in.Key, whole or not at all, and returns what Stat then returns. It reads content in
	// pieces, and holds no more than a few of them. What stood there before is replaced. Of in, Size and Digest are not looked
	// at. An error of content ends it, and is wrapped.
	Put(ctx context.Context, in Info, content io.Reader) (Info, error)
	// Get opens the object. Its content ends in [io.EOF] if all of it is what was put, and else in an error that is
	// [ErrAltered]. An object past its Expires is [ErrNotFound]. The caller closes it.
	Get(ctx context.Context, key string) (Info, io.ReadCloser, error)
	// Stat returns what is known of the object, or [ErrNotFound].
	Stat(ctx context.Context, key string) (Info, error)
	// Delete removes the object. To remove what is not there is no error.
	Delete(ctx context.Context, key string) error
}

// Presigner is a store to which callers can upload by themselves, past this process.
type Presigner interface {
	// PresignPut returns a URL that takes one PUT of the object until the given time, and the headers to send with it.
	PresignPut(ctx context.Context, in Info, until time.Time) (url string, headers map[string]string, err error)
}
