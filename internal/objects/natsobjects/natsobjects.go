// Package natsobjects keeps objects in JetStream, in the form of NATS's object store (ADR-20), so that the tools for that
// show them: a message for each chunk, and one that describes the object. It writes and reads that form itself. The client
// library's own Put has up to 4000 chunks under way, its Get lets the server send far ahead of the reader and ends after
// five seconds without a deadline, and its Delete leaves a message behind for each object; all of them are for objects that
// are few and small beside these.
//
// Durability: that of the bucket's stream; Put waits for the server's confirmation of every chunk.
// Whole or not: the message that describes the object is stored last.
// Memory: a reader holds one chunk, a writer eight.
// Retention: each message expires when the object does, to the second, and no later than its bucket's time.
// Listing: of files, the names of those under the prefix, by an index beside NATS's form (see index.go), and a message read for
// each of them.
// Room: buckets have no bound unless [Options.MaxBytes] or an operator sets one, and then take nothing new over it. Without one
// they can fill the disk that the streams of events are on.
package natsobjects

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/internal/bus/natsbus"
)

// Options of the store. The zero value means the defaults.
type Options struct {
	Replicas int                   // copies of the buckets; default those they have, or 1
	Storage  jetstream.StorageType // of buckets that are made; default file
	// MaxBytes is what each bucket that is made may have, with what describes the objects, once for all copies; what is over it
	// is [objects.ErrFull]. A server sets as much aside of what it may store, and refuses to make a bucket for which it has
	// less. Default: no bound. One that is there keeps the bound that it has.
	//
	// [objects.ErrFull]: https://pkg.go.dev/baton.dev/baton/internal/objects#ErrFull
	MaxBytes int64
}

// The buckets. Files, and all else that is no part of a request, have their own, so that listing them does not go through the
// parts of all requests.
const (
	partsBucket = "BATON_PARTS"
	filesBucket = "BATON_FILES"
)

// How long an object is kept at most. A part may be used until a deadline of 24 hours, again as long to look into what became
// of the request, and an hour for clocks and clean-up; 30 days are the longest that OpenAI lets a file be kept.
const (
	partsRetention = 49 * time.Hour
	filesRetention = 30 * 24 * time.Hour
)

// Store implements [objects.Store] and [objects.Lister]. It is safe for concurrent use.
//
// [objects.Store]: https://pkg.go.dev/baton.dev/baton/internal/objects#Store
// [objects.Lister]: https://pkg.go.dev/baton.dev/baton/internal/objects#Lister
type Store struct {
	js           jetstream.JetStream
	parts, files bucket
	now          func() time.Time
}

// New makes the buckets, or brings them to the options, and returns the store.
func New(ctx context.Context, js jetstream.JetStream, o Options) (*Store, error) {
	for name, retention := range map[string]time.Duration{partsBucket: partsRetention, filesBucket: filesRetention} {
		if err := natsbus.EnsureStream(ctx, js, streamConfig(name, retention, o)); err != nil {
			return nil, fmt.Errorf("natsobjects: %w", err)
		}
	}
	return Open(ctx, js)
}

// Open returns the store of buckets that others have made, and changes nothing of them.
func Open(ctx context.Context, js jetstream.JetStream) (*Store, error) {
	s := &Store{js: js, now: time.Now}
	for name, b := range map[string]*bucket{partsBucket: &s.parts, filesBucket: &s.files} {
		stream, err := js.Stream(ctx, "OBJ_"+name)
		if err != nil {
			return nil, fmt.Errorf("natsobjects: bucket %s: %w", name, err)
		}
		*b = bucket{
			name: name, stream: stream, replicated: stream.CachedInfo().Config.Replicas > 1, listed: name == filesBucket,
		}
	}
	return s, nil
}

// streamConfig returns the stream of an object store's bucket whose messages have an expiry of their own, for which the
// client's configuration of a bucket has no field.
func streamConfig(name string, retention time.Duration, o Options) jetstream.StreamConfig {
	b := bucket{name: name}
	return jetstream.StreamConfig{
		Name: "OBJ_" + name, Description: "What is too large for an event of Baton",
		Subjects: []string{b.chunks(">"), b.metaPrefix() + ">", b.indexPrefix() + ".>"},
		MaxAge:   retention, Storage: o.Storage, Replicas: o.Replicas, Discard: jetstream.DiscardNew, MaxBytes: o.MaxBytes,
		AllowRollup: true, AllowDirect: true, AllowMsgTTL: true,
	}
}

// bucketOf returns the bucket that the key is kept in.
func (s *Store) bucketOf(key string) bucket {
	if strings.HasPrefix(key, "parts/") {
		return s.parts
	}
	return s.files
}
