package batches_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/results"
)

var errAway = errors.New("the store is away")

// losingBus is a transport that loses requests while it is told to, as one does that die on their way.
type losingBus struct {
	*membus.Bus

	lose atomic.Bool
}

func (b *losingBus) Publish(ctx context.Context, out ...events.Event) error {
	if b.lose.Load() {
		out = slices.DeleteFunc(slices.Clone(out), func(e events.Event) bool { return e.Type == events.Requested })
	}
	return b.Bus.Publish(ctx, out...)
}

// faultyStore is a store that is away while it is told to be.
type faultyStore struct {
	*objects.Memory

	cells *faultyCells
	away  atomic.Bool
	puts  atomic.Int64 // after so many puts, it is away; 0: never

	before func(key string) // is called before a get; nil: nothing is
}

func (s *faultyStore) Put(ctx context.Context, in objects.Info, content io.Reader) (objects.Info, error) {
	if s.away.Load() {
		return objects.Info{}, errAway
	}
	if s.puts.Load() > 0 && s.puts.Add(-1) == 0 {
		s.away.Store(true)
	}
	return s.Memory.Put(ctx, in, content)
}

func (s *faultyStore) Get(ctx context.Context, key string) (objects.Info, io.ReadCloser, error) {
	if s.away.Load() {
		return objects.Info{}, nil, errAway
	}
	if s.before != nil {
		s.before(key)
	}
	return s.Memory.Get(ctx, key)
}

func (s *faultyStore) Stat(ctx context.Context, key string) (objects.Info, error) {
	if s.away.Load() {
		return objects.Info{}, errAway
	}
	return s.Memory.Stat(ctx, key)
}

// faultyCells are cells that cannot be written for some more writes. They count what was accepted.
type faultyCells struct {
	results.Cells

	refuse   atomic.Int64
	accepted atomic.Int64
}

func (c *faultyCells) Create(ctx context.Context, key string, value []byte, expires time.Time) ([]byte, error) {
	if c.refuse.Add(-1) >= 0 {
		return nil, errAway
	}
	existing, err := c.Cells.Create(ctx, key, value, expires)
	if err == nil && existing == nil && strings.HasSuffix(key, ".accepted") {
		c.accepted.Add(1)
	}
	return existing, err
}
