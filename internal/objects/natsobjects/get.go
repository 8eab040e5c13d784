package natsobjects

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"baton.dev/baton/internal/objects"
)

// What a description keeps beside the caller's own metadata, and how it says that its digest is one of SHA-256.
const (
	createdName  = "baton-created"
	expiresName  = "baton-expires"
	typeName     = "baton-type"
	digestPrefix = "SHA-256="
)

// describe returns what describes the object, or an error that is [objects.ErrNotFound].
func (s *Store) describe(ctx context.Context, key string) (*jetstream.ObjectInfo, objects.Info, error) {
	b := s.bucketOf(key)
	m, err := b.message(ctx, s.js, question{LastFor: b.meta(key)})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, objects.Info{}, notFound(key)
	}
	if err != nil {
		return nil, objects.Info{}, err
	}
	d := &jetstream.ObjectInfo{}
	if err := json.Unmarshal(m.Data, d); err != nil {
		return nil, objects.Info{}, fmt.Errorf("what describes it: %w", err)
	}
	if d.Deleted {
		return nil, objects.Info{}, notFound(key)
	}
	info, err := infoOf(d)
	if info.Created.IsZero() { // another tool put it there
		info.Created = m.Time.UTC()
	}
	return d, info, err
}

func notFound(key string) error { return fmt.Errorf("%w: %s", objects.ErrNotFound, key) }

// infoOf returns what a description says.
func infoOf(d *jetstream.ObjectInfo) (objects.Info, error) {
	sum, err := base64.URLEncoding.DecodeString(strings.TrimPrefix(d.Digest, digestPrefix))
	if err != nil {
		return objects.Info{}, fmt.Errorf("objects: what describes %s has no digest", d.Name)
	}
	info := objects.Info{Key: d.Name, Size: int64(d.Size), Digest: hex.EncodeToString(sum), Type: d.Metadata[typeName]}
	for name, into := range map[string]*time.Time{createdName: &info.Created, expiresName: &info.Expires} {
		if said, ok := d.Metadata[name]; ok {
			if *into, err = time.Parse(time.RFC3339Nano, said); err != nil {
				return info, fmt.Errorf("objects: what describes %s has a time that is none", d.Name)
			}
		}
	}
	for name, value := range d.Metadata {
		if !strings.HasPrefix(name, "baton-") {
			if info.Metadata == nil {
				info.Metadata = map[string]string{}
			}
			info.Metadata[name] = value
		}
	}
	return info, nil
}

// Stat implements [objects.Store].
//
// [objects.Store]: https://pkg.go.dev/baton.dev/baton/internal/objects#Store
func (s *Store) Stat(ctx context.Context, key string) (objects.Info, error) {
	_, info, err := s.find(ctx, key)
	return info, err
}

// find is describe for what has not expired.
func (s *Store) find(ctx context.Context, key string) (*jetstream.ObjectInfo, objects.Info, error) {
	if err := objects.CheckKey(key); err != nil {
		return nil, objects.Info{}, err
	}
	d, info, err := s.describe(ctx, key)
	switch {
	case errors.Is(err, objects.ErrNotFound):
		return nil, objects.Info{}, err
	case err != nil:
		return nil, objects.Info{}, wrap("get", key, err)
	case info.Expired(s.now()):
		return nil, objects.Info{}, notFound(key)
	}
	return d, info, nil
}

// Get implements [objects.Store]. The content is read with ctx.
//
// [objects.Store]: https://pkg.go.dev/baton.dev/baton/internal/objects#Store
func (s *Store) Get(ctx context.Context, key string) (objects.Info, io.ReadCloser, error) {
	d, info, err := s.find(ctx, key)
	if err != nil {
		return objects.Info{}, nil, err
	}
	r := &reader{store: s, bucket: s.bucketOf(key), subject: s.bucketOf(key).chunks(d.NUID), left: d.Chunks, next: 1}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return info, objects.Verify(info, r), nil
}

// reader reads an object chunk by chunk.
type reader struct {
	ctx     context.Context //nolint:containedctx // that of the Get that it is the answer of
	cancel  context.CancelFunc
	store   *Store
	bucket  bucket
	subject string
	left    uint32 // chunks that are not read
	next    uint64 // the first place in the stream where the next can be
	chunk   bytes.Reader
}

// Read implements [io.Reader]. A chunk that is not there is the end: what was read by then says that it came too early.
func (r *reader) Read(p []byte) (int, error) {
	for r.chunk.Len() == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		m, err := r.bucket.message(r.ctx, r.store.js, question{Seq: r.next, NextFor: r.subject})
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			return 0, io.EOF
		case err != nil:
			return 0, err
		}
		r.left--
		r.next = m.Sequence + 1
		r.chunk.Reset(m.Data)
	}
	return r.chunk.Read(p)
}

// Close implements [io.Closer].
func (r *reader) Close() error {
	r.cancel()
	return nil
}

// statsAtOnce bounds how many objects are asked about at once.
const statsAtOnce = 16

// List implements [objects.Lister]: it gets the names of what begins with the words of the prefix from the server, and asks for
// each object. Of parts of requests, which nobody lists, it gets the names of all.
//
// [objects.Lister]: https://pkg.go.dev/baton.dev/baton/internal/objects#Lister
func (s *Store) List(ctx context.Context, prefix string) ([]objects.Info, error) {
	keys, err := s.bucketOf(prefix).keys(ctx, prefix)
	if err != nil {
		return nil, wrap("list", prefix, err)
	}
	found := make([]objects.Info, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(statsAtOnce)
	for i, key := range keys {
		group.Go(func() error {
			info, err := s.Stat(ctx, key)
			if errors.Is(err, objects.ErrNotFound) {
				return nil // it expired, or was deleted
			}
			found[i] = info
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, wrap("list", prefix, err)
	}
	there := found[:0]
	for _, info := range found {
		if info.Key != "" {
			there = append(there, info)
		}
	}
	return there, nil
}
