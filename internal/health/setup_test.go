package health

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/events"
)

// cluster is processes that share a store, and the clock that they all have.
type cluster struct {
	*testing.T

	store  *outage
	config Config

	mu   sync.Mutex
	now  time.Time
	logs logbook
}

func newCluster(t *testing.T) *cluster {
	return &cluster{T: t, store: &outage{Store: NewMemory()}, now: start}
}

func (c *cluster) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *cluster) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// process returns the board of another process.
func (c *cluster) process() *Board {
	config := c.config
	config.Store, config.Now, config.Jitter = c.store, c.clock, noJitter
	config.Log = slog.New(slog.NewTextHandler(&c.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return New(config)
}

func (c *cluster) sync(boards ...*Board) {
	c.Helper()
	for _, b := range boards {
		if err := b.Sync(c.Context()); err != nil {
			c.Errorf("sync: %v", err)
		}
	}
}

func (c *cluster) is(b *Board, want State) {
	c.Helper()
	if got := b.Status("a"); got.State != want && (got.State != "" || want != Closed) {
		c.Errorf("%+v, want %s", got, want)
	}
}

// logged fails unless the text was logged as often.
func (c *cluster) logged(text string, times int) {
	c.Helper()
	if got := strings.Count(c.logs.String(), text); got != times {
		c.Errorf("%q was logged %d times, want %d:\n%s", text, got, times, c.logs.String())
	}
}

func report(b *Board, n int, code string) {
	for range n {
		b.Report(Outcome{Target: "a", Code: code})
	}
}

// opens lets the board see a breaker open.
func opens(b *Board) { report(b, 5, events.CodeTimeout) }

// logbook is what was logged.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var errAway = errors.New("away")

// outage is a store that can be away, or do what it is asked and lose the answer, or be behind.
type outage struct {
	Store

	mu     sync.Mutex
	away   bool
	silent bool                 // it writes, and then is away
	before func(swaps []Change) // called before each swap
	calls  int
}

func (o *outage) set(away, silent bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away, o.silent = away, silent
}

// lose empties the store.
func (o *outage) lose() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.Store = NewMemory()
}

func (o *outage) ask() (s Store, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	if o.away {
		return nil, errAway
	}
	return o.Store, nil
}

func (o *outage) asked() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.calls
}

func (o *outage) Read(ctx context.Context, targets []string, now time.Time) ([][]byte, error) {
	s, err := o.ask()
	if err != nil {
		return nil, err
	}
	return s.Read(ctx, targets, now)
}

func (o *outage) Swap(ctx context.Context, changes []Change, now time.Time, ttl time.Duration) ([][]byte, error) {
	s, err := o.ask()
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	before, silent := o.before, o.silent
	o.mu.Unlock()
	if before != nil {
		before(changes)
	}
	stand, err := s.Swap(ctx, changes, now, ttl)
	if silent {
		return nil, errAway
	}
	return stand, err
}

func (o *outage) Probe(ctx context.Context, target, holder string, now time.Time, ttl time.Duration) (bool, error) {
	s, err := o.ask()
	if err != nil {
		return false, err
	}
	return s.Probe(ctx, target, holder, now, ttl)
}

func (o *outage) Release(ctx context.Context, target, holder string) error {
	s, err := o.ask()
	if err != nil {
		return err
	}
	return s.Release(ctx, target, holder)
}
