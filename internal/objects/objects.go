// Package objects keeps what is too large for an event: requests, parts that were taken out of them, and files that callers
// upload.
//
// [Memory] is of one process, and for tests. [natsobjects] keeps objects in JetStream, and [s3objects] in S3. What they all
// promise is in package [objectstest].
//
// [natsobjects]: https://pkg.go.dev/baton.dev/baton/internal/objects/natsobjects
// [s3objects]: https://pkg.go.dev/baton.dev/baton/internal/objects/s3objects
// [objectstest]: https://pkg.go.dev/baton.dev/baton/internal/objects/objectstest
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
	// ErrFull is for an object that a store has no room for.
	ErrFull = errors.New("objects: the store has no room")
)

// Info describes an object.
type Info struct {
	Key  string // see [Info.Check]
	Size int64  // in bytes
	// Digest is the SHA-256 of the content, in hex. It is empty where a caller uploaded the object past this process and did
	// not name it: then nothing tells that the content was altered, but for its size.
	Digest   string
	Type     string // media type, printable ASCII; empty: unknown
	Created  time.Time
	Expires  time.Time         // when it may be removed, to the second; zero: the store's own time
	Metadata map[string]string // see [Info.Check]
}

// Store is where objects are kept. It must be safe for concurrent use.
type Store interface {
	// Put stores the content under in.Key, whole or not at all, and returns what Stat then returns. It reads content in
	// pieces, and holds no more than a few of them. What stood there before is replaced. Of in, Size, Digest and Created are
	// not looked at, and Metadata is looked at when content has ended: content may write to it until then. An error of content
	// ends it, and is wrapped.
	Put(ctx context.Context, in Info, content io.Reader) (Info, error)
	// Get opens the object. Its content ends in [io.EOF] if all of it is what was put, and else in an error that is
	// [ErrAltered]. An object past its Expires is [ErrNotFound]. The caller closes it.
	Get(ctx context.Context, key string) (Info, io.ReadCloser, error)
	// Stat returns what is known of the object, or [ErrNotFound].
	Stat(ctx context.Context, key string) (Info, error)
	// Delete removes the object. To remove what is not there is no error.
	Delete(ctx context.Context, key string) error
}

// Lister is a store that can say what it keeps. It must be safe for concurrent use.
type Lister interface {
	// List returns what is kept under the keys that begin with the prefix, in no order: Key, Size and Created of each, and the
	// rest is for Stat to say. One past its Expires may be among them. What it costs is for the store to say.
	List(ctx context.Context, prefix string) ([]Info, error)
}

// PresignGetter is a store from which callers can download by themselves, past this process. What they get is not verified.
type PresignGetter interface {
	// PresignGet returns a URL that answers a GET with the object until the given time, as a file of the name to be saved.
	PresignGet(ctx context.Context, key, filename string, until time.Time) (url string, err error)
}

// Presigner is a store to which callers can upload by themselves, past this process.
type Presigner interface {
	// PresignPut returns a URL that takes one PUT of the object until the given time, and the headers to send with it, those
	// that any HTTP client sets by itself left out. The content must be of in.Size and, if it is set, of in.Digest.
	PresignPut(ctx context.Context, in Info, until time.Time) (url string, headers map[string]string, err error)
}
