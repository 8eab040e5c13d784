package lease_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/internal/lease"
)

const ttl = 30 * time.Second

var errAway = errors.New("the store is away")

// faulty is a store that is away while it is told to be, or takes its time.
type faulty struct {
	lease.Store

	away     atomic.Bool
	renewals atomic.Int32
	slow     time.Duration // that an acquire's answer takes
	hanging  bool          // it does not answer while it is away
}

// reach returns an error while the store is away.
func (f *faulty) reach(ctx context.Context) error {
	switch {
	case !f.away.Load():
		return nil
	case f.hanging:
		<-ctx.Done()
		return ctx.Err()
	default:
		return errAway
	}
}

func (f *faulty) Acquire(ctx context.Context, key string, now time.Time, ttl time.Duration) (lease.Grant, error) {
	if err := f.reach(ctx); err != nil {
		return lease.Grant{}, err
	}
	g, err := f.Store.Acquire(ctx, key, now, ttl)
	<-time.After(f.slow)
	return g, err
}

func (f *faulty) Renew(ctx context.Context, key string, token int64, now time.Time, ttl time.Duration) (bool, error) {
	f.renewals.Add(1)
	if err := f.reach(ctx); err != nil {
		return false, err
	}
	return f.Store.Renew(ctx, key, token, now, ttl)
}

func (f *faulty) Finish(
	ctx context.Context, key string, token int64, now time.Time, outcome []byte, keep time.Duration,
) (bool, error) {
	if err := f.reach(ctx); err != nil {
		return false, err
	}
	return f.Store.Finish(ctx, key, token, now, outcome, keep)
}

func leases(t *testing.T, store lease.Store) *lease.Leases {
	t.Helper()
	l, err := lease.New(lease.Config{Store: store, TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// hold takes the lease of the key "k", which must be granted.
func hold(t *testing.T, l *lease.Leases) *lease.Held {
	t.Helper()
	h, g, err := l.Hold(t.Context(), "k")
	if err != nil || h == nil || g.Token == 0 {
		t.Fatalf("hold: %v, %+v, %v", h, g, err)
	}
	return h
}

func finish(t *testing.T, h *lease.Held, outcome []byte, want bool) {
	t.Helper()
	if ok, err := h.Finish(t.Context(), outcome); ok != want || err != nil {
		t.Errorf("finish: %t, %v, want %t", ok, err, want)
	}
}

func TestALeaseIsKeptForAsLongAsTheWorkTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := lease.NewMemory()
		mine, others := leases(t, store), leases(t, store)
		h := hold(t, mine)
		for range 20 {
			<-time.After(17 * time.Second)
			other, g, err := others.Hold(t.Context(), "k")
			if other != nil || err != nil || !g.Until.After(time.Now()) {
				t.Fatalf("another holds it: %+v, %v", g, err)
			}
		}
		if err := h.Context().Err(); err != nil {
			t.Errorf("the work was stopped: %v", err)
		}
		finish(t, h, []byte("done"), true)
		if h.Context().Err() == nil {
			t.Error("the context is open after the end")
		}
		if other, g, err := others.Hold(t.Context(), "k"); other != nil || string(g.Outcome) != "done" || err != nil {
			t.Errorf("after the end: %+v, %v", g, err)
		}
		finish(t, h, []byte("done"), true)
	})
}

func TestAKeyThatIsFreedIsHeldAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := leases(t, lease.NewMemory())
		h := hold(t, l)
		finish(t, h, nil, true)
		finish(t, hold(t, l), []byte("done"), true)
		finish(t, h, []byte("late"), false)
	})
}

func TestAHolderWhoseLeaseIsAnothersIsStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := lease.NewMemory()
		h := hold(t, leases(t, store))
		// Another, whose clock is far ahead.
		g, err := store.Acquire(t.Context(), "k", time.Now().Add(time.Minute), ttl)
		if err != nil || g.Token == 0 {
			t.Fatalf("%+v, %v", g, err)
		}
		<-time.After(ttl / 3)
		synctest.Wait()
		if err := context.Cause(h.Context()); !errors.Is(err, lease.ErrLost) {
			t.Errorf("cause: %v", err)
		}
		finish(t, h, []byte("late"), false)
	})
}

func TestAStoreThatIsAwayStopsNoWork(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]*faulty{"that is away": {}, "that hangs": {hanging: true}} {
		t.Run("with a store "+name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store.Store = lease.NewMemory()
				l := leases(t, store)
				h := hold(t, l)
				store.away.Store(true)
				<-time.After(9 * ttl / 10)
				if n := store.renewals.Load(); n < 2 || n > 10 {
					t.Errorf("the store was asked %d times while the lease lasts", n)
				}
				<-time.After(9 * ttl) // it has run out, but nobody can take it
				if err := h.Context().Err(); err != nil {
					t.Fatalf("the work was stopped: %v", context.Cause(h.Context()))
				}
				store.away.Store(false)
				<-time.After(ttl / 2)
				if other, g, err := l.Hold(t.Context(), "k"); other != nil || err != nil || !g.Until.After(time.Now()) {
					t.Errorf("it is not renewed when the store is back: %+v, %v", g, err)
				}
				store.away.Store(true)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if ok, err := h.Finish(ctx, []byte("done")); ok || err == nil {
					t.Errorf("finish: %t, %v", ok, err)
				}
				store.away.Store(false)
				finish(t, h, []byte("done"), true)
			})
		})
	}
}

// A holder that alone cannot reach the store learns when it can that another came, and what it did is not taken.
func TestAHolderThatAloneCouldNotReachTheStoreIsStoppedIfAnotherCame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		together := lease.NewMemory()
		store := &faulty{Store: together}
		h := hold(t, leases(t, store))
		store.away.Store(true)
		<-time.After(2 * ttl)
		next := hold(t, leases(t, together))
		if err := h.Context().Err(); err != nil {
			t.Fatalf("the work was stopped: %v", context.Cause(h.Context()))
		}
		store.away.Store(false)
		<-h.Context().Done()
		if err := context.Cause(h.Context()); !errors.Is(err, lease.ErrLost) {
			t.Errorf("cause: %v", err)
		}
		finish(t, h, []byte("late"), false)
		finish(t, next, []byte("done"), true)
	})
}

// A process that stood still for longer than the lease lasts, as a suspended machine does, asks before it gives up.
func TestAHolderThatStoodStillGoesOnUnlessAnotherCame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &faulty{Store: lease.NewMemory(), slow: 2 * ttl}
		h := hold(t, leases(t, store))
		<-time.After(ttl)
		if err := h.Context().Err(); err != nil {
			t.Errorf("the work was stopped: %v", context.Cause(h.Context()))
		}
		finish(t, h, []byte("done"), true)
	})
}

func TestWhatIsNotFinishedEndsWithTheContextOfHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := leases(t, lease.NewMemory())
		ctx, cancel := context.WithCancel(t.Context())
		h, _, err := l.Hold(ctx, "k")
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := context.Cause(h.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("cause: %v", err)
		}
		<-time.After(ttl) // it is renewed no more
		next := hold(t, l)
		finish(t, h, []byte("late"), false)
		finish(t, next, []byte("done"), true)
	})
}

func TestAStoreThatCannotSayIsAnErrorThatNamesTheKey(t *testing.T) {
	t.Parallel()
	store := &faulty{Store: lease.NewMemory()}
	store.away.Store(true)
	h, g, err := leases(t, store).Hold(t.Context(), "k")
	if h != nil || g.Token != 0 || !errors.Is(err, errAway) || err.Error() != "lease: acquire k: the store is away" {
		t.Errorf("hold: %+v, %v", g, err)
	}
}

func TestLeasesThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []lease.Config{
		{}, {Store: lease.NewMemory(), TTL: -1}, {Store: lease.NewMemory(), Keep: -1},
	} {
		if _, err := lease.New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
