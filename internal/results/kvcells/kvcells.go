// Package kvcells keeps results in a JetStream key-value bucket: a cell is a key that is created once.
//
// Durability: that of the bucket's stream; Create waits for the server's confirmation.
// Retention: a cell expires when its writer says, to the second.
// Hints: the publish of a cell is heard on its own subject, which costs the server nothing more. It comes a little before
// the cell can be read.
package kvcells

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/groupcommit"
	"baton.dev/baton/internal/results"
)

// Options of the cells. The zero value means the defaults.
type Options struct {
	Replicas int                   // copies of the bucket; default those it has, or 1
	Storage  jetstream.StorageType // of a bucket that is made; default file
	Together bool                  // commit writes that come at the same time in one batch, see [groupcommit]
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
	if err := natsbus.EnsureStream(ctx, js, streamConfig(o)); err != nil {
		return nil, fmt.Errorf("kvcells: %w", err)
	}
	return open(ctx, nc, js, o.Together)
}

// Open returns the cells of a bucket that others have made, and changes nothing of it. It is [ErrNotWritable] if what is written
// would not get there.
func Open(ctx context.Context, nc *nats.Conn, js jetstream.JetStream) (*Cells, error) {
	c, err := open(ctx, nc, js, false)
	if err != nil {
		return nil, err
	}
	// The stream refuses what expects another stream: nothing is stored, and the answer says that writes get there.
	_, err = js.PublishMsg(ctx, &nats.Msg{
		Subject: subject("opened"), Header: nats.Header{jetstream.ExpectedStreamHeader: []string{"none"}},
	})
	switch _, answered := errors.AsType[*jetstream.APIError](err); {
	case answered:
		return c, nil
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return nil, ErrNotWritable
	default:
		return nil, fmt.Errorf("kvcells: bucket %s: try to write: %w", bucket, err)
	}
}

// ErrNotWritable is for a bucket that can be seen, and whose subjects do not lead to it: from a leaf node whose hub keeps them to
// itself.
var ErrNotWritable = errors.New("kvcells: what is written does not get to the bucket " + bucket)

func open(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, together bool) (*Cells, error) {
	kv, err := js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("kvcells: bucket %s: %w", bucket, err)
	}
	return &Cells{nc: nc, kv: kv, commit: groupcommit.New(js, together)}, nil
}

// streamConfig returns the stream of a key-value bucket (NATS ADR-8) whose keys have an expiry of their own, and which takes
// batches: for that the client's configuration of a bucket has no field.
func streamConfig(o Options) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: stream, Description: "What Baton knows of each request", Subjects: []string{subject(">")},
		Storage: o.Storage, Replicas: o.Replicas, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew,
		MaxAge: results.Retention, Duplicates: 2 * time.Minute, AllowRollup: true, DenyDelete: true, AllowDirect: true,
		AllowMsgTTL: true, AllowAtomicPublish: true,
	}
}

func subject(key string) string { return "$KV." + bucket + "." + key }

// Create implements [results.Cells].
func (c *Cells) Create(ctx context.Context, key string, value []byte, expires time.Time) ([]byte, error) {
	for {
		first, err := c.create(ctx, key, value, expires)
		if err != nil || first {
			return nil, err
		}
		existing, err := c.Get(ctx, key)
		if !errors.Is(err, results.ErrNotFound) {
			return existing, err
		}
		// It expired between the two: it is to be had again.
	}
}

// create writes the cell, or reports that it has been written.
func (c *Cells) create(ctx context.Context, key string, value []byte, expires time.Time) (first bool, err error) {
	// A create is a write that expects no write on the key before it (NATS ADR-8). Its life is in whole seconds (ADR-43).
	life := max(int64(time.Until(expires)/time.Second), 1)
	pending, err := c.commit.Start(stream, &nats.Msg{
		Subject: subject(key), Data: value,
		Header: nats.Header{
			jetstream.ExpectedLastSubjSeqHeader: []string{"0"},
			jetstream.MsgTTLHeader:              []string{strconv.FormatInt(life, 10) + "s"},
		},
	})
	if err != nil {
		return false, fmt.Errorf("kvcells: %w", err)
	}
	switch err = pending.Wait(ctx); {
	case err == nil:
		return true, nil
	case written(err):
		return false, nil
	default:
		return false, fmt.Errorf("kvcells: create: %w", err)
	}
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
