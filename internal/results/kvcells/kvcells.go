// Package kvcells keeps results in a JetStream key-value bucket: a cell is a key that is created once.
//
// Durability: that of the bucket's stream; Create waits for the server's confirmation.
// Retention: a cell expires the bucket's retention after it was written.
// Hints: the publish of a cell is heard on its own subject, which costs the server nothing more. It comes a little before
// the cell can be read.
package kvcells

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/groupcommit"
	"baton.dev/baton/internal/results"
)

// Options of the cells. The zero value means the defaults.
type Options struct {
	Replicas  int                   // copies of the bucket; default 1
	Storage   jetstream.StorageType // default file
	Retention time.Duration         // how long results are kept; default 48h, longer than any deadline and its callback's tries
	Together  bool                  // commit writes that come at the same time in one batch, see [groupcommit]
}

// bucket is the name of the bucket, and stream the stream under it.
const (
	bucket = "BATON_RESULTS"
	stream = "KV_" + bucket
)

// Cells implements [results.Cells] over one connection. It is safe for concurrent use.
type Cells struct {
	nc     *nats.Conn
	kv     jetstream.KeyValue
	commit *groupcommit.Publisher
}

// New makes the bucket, or brings it to the options, and returns its cells.
func New(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, o Options) (*Cells, error) {
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if o.Retention == 0 {
		o.Retention = 48 * time.Hour
	}
	kv, err := js.KeyValue(ctx, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: bucket, Description: "What Baton knows of each request", History: 1,
			TTL: o.Retention, Storage: o.Storage, Replicas: o.Replicas,
		})
	}
	if err != nil {
		return nil, fmt.Errorf("kvcells: bucket %s: %w", bucket, err)
	}
	if err := bring(ctx, js, o); err != nil {
		return nil, fmt.Errorf("kvcells: %w", err)
	}
	return &Cells{nc: nc, kv: kv, commit: groupcommit.New(js, o.Together)}, nil
}

// bring brings the bucket's stream to the options, and lets it take batches, for which the client's configuration of a
// bucket has no field.
func bring(ctx context.Context, js jetstream.JetStream, o Options) error {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	want := s.CachedInfo().Config
	want.AllowAtomicPublish, want.Replicas, want.Storage, want.MaxAge = true, o.Replicas, o.Storage, o.Retention
	return natsbus.EnsureStream(ctx, js, want)
}

func subject(key string) string { return "$KV." + bucket + "." + key }

// Create implements [results.Cells].
func (c *Cells) Create(ctx context.Context, key string, value []byte) ([]byte, error) {
	// A create is a write that expects no write on the key before it (NATS ADR-8).
	pending, err := c.commit.Start(stream, &nats.Msg{
		Subject: subject(key), Data: value,
		Header: nats.Header{jetstream.ExpectedLastSubjSeqHeader: []string{"0"}},
	})
	if err != nil {
		return nil, fmt.Errorf("kvcells: %w", err)
	}
	err = pending.Wait(ctx)
	if err == nil {
		return nil, nil
	}
	if !written(err) {
		return nil, fmt.Errorf("kvcells: create: %w", err)
	}
	return c.Get(ctx, key)
}

// written reports whether the server refused a create because the key has been written.
func written(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	// The second is what replicated streams answer.
	return ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == 10164)
}

// Get implements [results.Cells].
func (c *Cells) Get(ctx context.Context, key string) ([]byte, error) {
	entry, err := c.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		return nil, results.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("kvcells: %w", err)
	}
	return entry.Value(), nil
}

// Watch implements [results.Cells].
func (c *Cells) Watch(_ context.Context, key string) (<-chan struct{}, func(), error) {
	hint := make(chan struct{}, 1)
	sub, err := c.nc.Subscribe(subject(key), func(*nats.Msg) {
		select {
		case hint <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return nil, nil, fmt.Errorf("kvcells: watch: %w", err)
	}
	return hint, func() { _ = sub.Unsubscribe() }, nil
}
