package natsobjects

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/internal/objects"
)

const (
	chunkSize = 128 << 10 // that of NATS's own clients: well below the 1 MiB that a server takes by default (max_payload)
	window    = 8         // chunks that are under way at once: enough to hide the way to the broker, and 1 MiB
)

// ackTimeout bounds the wait for one confirmation: longer than a leader takes to be elected anew.
const ackTimeout = 10 * time.Second

// purgeTimeout bounds the removal of what is left of an object, which outlives what it is done for.
const purgeTimeout = 5 * time.Second

// Put implements [objects.Store]: first the chunks, under a subject of their own, then the place in the index, then the message
// that describes them, and then what stood under the key is removed. A crash before the third leaves chunks that nothing refers
// to, and a place of what is not there, which a list passes over; one before the fourth chunks of the earlier object. All expire.
//
// [objects.Store]: https://pkg.go.dev/baton.dev/baton/internal/objects#Store
func (s *Store) Put(ctx context.Context, in objects.Info, content io.Reader) (objects.Info, error) {
	if err := in.Check(); err != nil {
		return objects.Info{}, err
	}
	b := s.bucketOf(in.Key)
	earlier, _, err := s.describe(ctx, in.Key)
	if err != nil && !errors.Is(err, objects.ErrNotFound) {
		return objects.Info{}, wrap("put", in.Key, err)
	}
	d := &jetstream.ObjectInfo{Bucket: b.name, NUID: rand.Text()}
	d.Name = in.Key
	d.Opts = &jetstream.ObjectMetaOptions{ChunkSize: chunkSize}
	err = s.putChunks(ctx, b, d, content, s.ttl(in))
	if err == nil {
		err = in.CheckMetadata()
	}
	if err == nil {
		err = s.putIndex(ctx, b, in.Key, s.ttl(in))
	}
	if err == nil {
		in.Created = s.now().UTC().Round(0)
		err = s.putMeta(ctx, b, d, in)
	}
	if err != nil {
		s.purge(ctx, b, b.chunks(d.NUID))
		if b.listed && earlier == nil {
			s.purge(ctx, b, b.index(in.Key))
		}
		return objects.Info{}, wrap("put", in.Key, err)
	}
	if earlier != nil {
		s.purge(ctx, b, b.chunks(earlier.NUID))
	}
	return infoOf(d)
}

// ttl returns how long the messages of an object live; 0: the bucket's time. The server counts in seconds, and from one.
func (s *Store) ttl(in objects.Info) time.Duration {
	if in.Expires.IsZero() {
		return 0
	}
	return max(in.Expires.Sub(s.now()).Truncate(time.Second)+time.Second, time.Second)
}

// putChunks stores the content, and completes the description by its size and digest. When it returns nothing is under way any
// more: what is stored after an error can be purged.
func (s *Store) putChunks(
	ctx context.Context, b bucket, d *jetstream.ObjectInfo, content io.Reader, ttl time.Duration,
) (err error) {
	var buffers [window][]byte
	var under underway
	defer func() {
		if err == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), purgeTimeout)
		defer cancel()
		for n := range under {
			_ = under.confirmed(ctx, n)
		}
	}()
	sum := sha256.New()
	for n := 0; ; n = (n + 1) % window {
		if err := under.confirmed(ctx, n); err != nil {
			return err
		}
		if buffers[n] == nil {
			buffers[n] = make([]byte, chunkSize)
		}
		size, err := io.ReadFull(content, buffers[n])
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		if size > 0 {
			sum.Write(buffers[n][:size])
			d.Size, d.Chunks = d.Size+uint64(size), d.Chunks+1
			m := nats.NewMsg(b.chunks(d.NUID))
			m.Data = buffers[n][:size]
			under[n], err = s.js.PublishMsgAsync(m, options(ttl)...)
			if err != nil {
				return err
			}
		}
		if last {
			break
		}
	}
	for n := range under {
		if err := under.confirmed(ctx, n); err != nil {
			return err
		}
	}
	d.Digest = digestPrefix + base64.URLEncoding.EncodeToString(sum.Sum(nil))
	return nil
}

func options(ttl time.Duration) []jetstream.PublishOpt {
	if ttl == 0 {
		return nil
	}
	return []jetstream.PublishOpt{jetstream.WithMsgTTL(ttl)}
}

// underway are the confirmations of what the buffers hold that are waited for; nil: nothing is.
type underway [window]jetstream.PubAckFuture

// confirmed waits until the server has stored what a buffer holds, or says that it has not.
func (u *underway) confirmed(ctx context.Context, n int) error {
	f := u[n]
	if f == nil {
		return nil
	}
	late := time.NewTimer(ackTimeout)
	defer late.Stop()
	select {
	case <-f.Ok():
		u[n] = nil // it says so once
		return nil
	case err := <-f.Err():
		u[n] = nil
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		return errors.New("the server did not confirm a chunk in time")
	}
}

// putMeta stores what describes the object, in the place of what described it before.
func (s *Store) putMeta(ctx context.Context, b bucket, d *jetstream.ObjectInfo, in objects.Info) error {
	d.Metadata = maps.Clone(in.Metadata)
	if d.Metadata == nil {
		d.Metadata = map[string]string{}
	}
	d.Metadata[createdName] = in.Created.Format(time.RFC3339Nano)
	if in.Type != "" {
		d.Metadata[typeName] = in.Type
	}
	if !in.Expires.IsZero() {
		d.Metadata[expiresName] = in.Expires.UTC().Format(time.RFC3339Nano)
	}
	m := nats.NewMsg(b.meta(in.Key))
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	var err error
	if m.Data, err = json.Marshal(d); err != nil {
		return err
	}
	_, err = s.js.PublishMsg(ctx, m, options(s.ttl(in))...)
	return err
}

// purge removes the messages of a subject. Those that it cannot remove expire.
func (s *Store) purge(ctx context.Context, b bucket, subject string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), purgeTimeout)
	defer cancel()
	_ = b.stream.Purge(ctx, jetstream.WithPurgeSubject(subject))
}

// Delete implements [objects.Store]. Nothing is left of the object, not even a mark that it was there.
//
// [objects.Store]: https://pkg.go.dev/baton.dev/baton/internal/objects#Store
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := objects.CheckKey(key); err != nil {
		return err
	}
	d, _, err := s.describe(ctx, key)
	if errors.Is(err, objects.ErrNotFound) {
		return nil
	}
	b := s.bucketOf(key)
	if err == nil {
		err = b.stream.Purge(ctx, jetstream.WithPurgeSubject(b.meta(key)))
	}
	if err == nil {
		err = b.stream.Purge(ctx, jetstream.WithPurgeSubject(b.chunks(d.NUID)))
	}
	if err == nil && b.listed {
		err = b.stream.Purge(ctx, jetstream.WithPurgeSubject(b.index(key)))
	}
	return wrap("delete", key, err)
}

func wrap(what, key string, err error) error {
	if err == nil {
		return nil
	}
	if full(err) {
		return fmt.Errorf("%w: %s %s: %w", objects.ErrFull, what, key, err)
	}
	return fmt.Errorf("objects: %s %s: %w", what, key, err)
}

// What a server says that has no room, beside that a stream has as many bytes as it may: that the account, or the server itself,
// has. The client has no names for these.
const (
	codeInsufficientResources jetstream.ErrorCode = 10023
	codeStorageExceeded       jetstream.ErrorCode = 10047
	codeStoreFailed           jetstream.ErrorCode = 10077
)

// full reports whether the server has no room for what it was given.
func full(err error) bool {
	said, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return false
	}
	switch said.ErrorCode {
	case codeInsufficientResources, codeStorageExceeded:
		return true
	case codeStoreFailed:
		return strings.Contains(said.Description, "maximum bytes exceeded")
	default:
		return false
	}
}
