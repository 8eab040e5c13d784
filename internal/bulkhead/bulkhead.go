// Package bulkhead bounds how many calls are made to a target at once, by all processes together, so that a slow target
// fills its own lane and never another's (M. Nygard, Release It!, 2nd ed., section 5.3).
//
// Those who wait in one process get their places in the order in which they came, and only the first of a target asks the
// [Store], again and again. Among processes the order holds about: see [Turn]. A place ends by itself after its time to
// live, so that a process that died keeps none; while a call is made it is renewed.
//
// Where the store is away, each process lets in as many as the limit says. When it is back it learns of them by their
// renewals. So a target may get the limit once from each process then, and never more than that from one.
package bulkhead

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a [Bulkhead] is made of. The zero value bounds the calls of this process alone.
type Config struct {
	Store Store         // shared with the other processes; nil: there are none
	TTL   time.Duration // how long a place lasts that is not renewed; default 30 s
	Log   *slog.Logger  // told when the store goes away and is back; nil: nothing is logged

	// Jitter returns how long to wait before asking the store again, at most d; nil: a random time between d/2 and d.
	Jitter func(d time.Duration) time.Duration
}

// Bulkhead lets calls in. It is safe for concurrent use.
type Bulkhead struct {
	store  Store
	ttl    time.Duration
	log    *slog.Logger
	jitter func(time.Duration) time.Duration
	away   atomic.Bool // the store, when it was asked last

	mu    sync.Mutex
	lanes map[string]*lane
}

// New returns a bulkhead with nobody in it.
func New(c Config) *Bulkhead {
	b := &Bulkhead{store: c.Store, ttl: c.TTL, log: c.Log, jitter: c.Jitter, lanes: map[string]*lane{}}
	if b.ttl <= 0 {
		b.ttl = 30 * time.Second
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.jitter == nil {
		b.jitter = func(d time.Duration) time.Duration { return d/2 + rand.N(d/2) }
	}
	return b
}

// Enter waits until fewer than limit calls are made to the target, and takes a place for the id, which no other call has at
// the same time. The place is kept until leave is called; leave may be called more than once. When ctx is done while it
// waits, the error is that of ctx. A limit below 1 is none. Where limits differ, that of the latest call counts in this
// process.
func (b *Bulkhead) Enter(ctx context.Context, target, id string, limit int) (leave func(), err error) {
	if limit < 1 {
		return func() {}, nil
	}
	l := b.join(target, limit)
	if err := b.wait(ctx, l, target, id); err != nil {
		b.part(target, l)
		return nil, fmt.Errorf("bulkhead: enter %s: %w", target, err)
	}
	stop := b.stay(ctx, target, id)
	return sync.OnceFunc(func() {
		stop()
		b.forget(ctx, target, id) // first, so that whoever is let in next finds the place free
		l.leave()
		b.part(target, l)
	}), nil
}

// wait waits in line, and then until there is a place.
func (b *Bulkhead) wait(ctx context.Context, l *lane, target, id string) error {
	if err := l.line.Acquire(ctx, 1); err != nil {
		return err
	}
	defer l.line.Release(1)
	asked := false
	for pause := firstPause; ; {
		if err := ctx.Err(); err != nil {
			if asked {
				b.forget(ctx, target, id) // it waits no more, and may have been let in without hearing of it
			}
			return err
		}
		limit, full := l.look()
		if full {
			l.pause(ctx, nil)
			continue
		}
		asked = true
		if b.ask(ctx, target, id, limit) {
			l.enter()
			return nil
		}
		if ctx.Err() != nil {
			continue
		}
		again := time.NewTimer(b.jitter(pause))
		l.pause(ctx, again.C)
		again.Stop()
		pause = min(2*pause, lastPause)
	}
}

// The pauses between two questions to the store: a call that is about to end is waited for briefly, and one that takes long
// costs ten questions a second.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 100 * time.Millisecond
)

// ask asks the store for a place. One that is away has none to refuse.
func (b *Bulkhead) ask(ctx context.Context, target, id string, limit int) bool {
	if b.store == nil {
		return true
	}
	ok, err := b.store.Enter(ctx, target, id, limit, time.Now(), b.ttl)
	if ctx.Err() != nil {
		return false
	}
	b.note(err)
	return ok || err != nil
}

// stay keeps the place until stop is called, which returns when nothing more will be said to the store of it.
func (b *Bulkhead) stay(ctx context.Context, target, id string) (stop func()) {
	if b.store == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the place lasts until it is left
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(b.ttl / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			asked, end := context.WithTimeout(ctx, b.ttl/3)
			err := b.store.Stay(asked, target, id, time.Now(), b.ttl)
			end()
			if !errors.Is(err, context.Canceled) {
				b.note(err)
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// forget tells the store that the id is not there any more. A store that does not hear it finds out after the place's time.
func (b *Bulkhead) forget(ctx context.Context, target, id string) {
	if b.store == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	b.note(b.store.Leave(ctx, target, id))
}

// note logs when the store goes away, and when it is back.
func (b *Bulkhead) note(err error) {
	if is := err != nil; b.away.Swap(is) != is {
		if is {
			b.log.Warn("bulkhead store is away: limits are those of each process", "error", err)
		} else {
			b.log.Info("bulkhead store is back")
		}
	}
}
