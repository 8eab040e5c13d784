package batches_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing/iotest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/results"
)

var errAway = errors.New("the store is away")

// losingBus is a transport that loses requests while it is told to, as one does that die on their way, and one that is away.
type losingBus struct {
	*membus.Bus

	lose, away atomic.Bool
}

func (b *losingBus) Publish(ctx context.Context, out ...events.Event) error {
	if b.away.Load() {
		return errAway
	}
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

	altered func(key string) bool                         // whether a get reads something else; nil: never
	before  func(key string)                              // is called before a get; nil: nothing is
	during  func(key string, content io.Reader) io.Reader // what a put reads; nil: the content
}

func (s *faultyStore) Put(ctx context.Context, in objects.Info, content io.Reader) (objects.Info, error) {
	if s.away.Load() {
		return objects.Info{}, errAway
	}
	if s.puts.Load() > 0 && s.puts.Add(-1) == 0 {
		s.away.Store(true)
	}
	if s.during != nil {
		content = s.during(in.Key, content)
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
	in, content, err := s.Memory.Get(ctx, key)
	if err == nil && s.altered != nil && s.altered(key) {
		_ = content.Close()
		content = io.NopCloser(iotest.ErrReader(objects.ErrAltered))
	}
	return in, content, err
}

func (s *faultyStore) Stat(ctx context.Context, key string) (objects.Info, error) {
	if s.away.Load() {
		return objects.Info{}, errAway
	}
	return s.Memory.Stat(ctx, key)
}

// faultyCells are cells that cannot be written for some more writes. They count what was accepted, how often something was to
// be, and what was read.
type faultyCells struct {
	results.Cells

	refuse   atomic.Int64
	accepted atomic.Int64
	offered  atomic.Int64
	gets     atomic.Int64
	slow     atomic.Bool // to take a second for each that is accepted

	poison   atomic.Bool // the next to be accepted breaks what accepts it, each time
	poisoned atomic.Value
}

func (c *faultyCells) Get(ctx context.Context, key string) ([]byte, error) {
	c.gets.Add(1)
	return c.Cells.Get(ctx, key)
}

func (c *faultyCells) Create(ctx context.Context, key string, value []byte, expires time.Time) ([]byte, error) {
	if strings.HasSuffix(key, ".accepted") {
		c.offered.Add(1)
		if c.slow.Load() {
			sleep(time.Second) // of the virtual time
		}
		if c.poison.CompareAndSwap(true, false) {
			c.poisoned.Store(key)
		}
		if c.poisoned.Load() == key {
			panic("a fault of ours")
		}
	}
	if c.refuse.Add(-1) >= 0 {
		return nil, errAway
	}
	existing, err := c.Cells.Create(ctx, key, value, expires)
	if err == nil && existing == nil && strings.HasSuffix(key, ".accepted") {
		c.accepted.Add(1)
	}
	return existing, err
}
