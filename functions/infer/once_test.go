package infer_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/model"
)

// unreachable is a store of leases that can be away.
type unreachable struct {
	lease.Store
	away atomic.Bool
}

var errAway = errors.New("away")

func (u *unreachable) Acquire(ctx context.Context, key string, now time.Time, ttl time.Duration) (lease.Grant, error) {
	if u.away.Load() {
		return lease.Grant{}, errAway
	}
	return u.Store.Acquire(ctx, key, now, ttl)
}

func (u *unreachable) Renew(ctx context.Context, key string, token int64, now time.Time, ttl time.Duration) (bool, error) {
	if u.away.Load() {
		return false, errAway
	}
	return u.Store.Renew(ctx, key, token, now, ttl)
}

func TestAnAttemptIsMadeOnce(t *testing.T) {
	t.Run("by one of two workers at once, and the other waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.leases(lease.NewMemory())
			w.config.Models = says("yes", time.Minute, &w.calls) // several times as long as a lease
			in := w.scheduled()
			var workers sync.WaitGroup
			workers.Go(func() { w.one(infer.New(w.config), in) })
			<-time.After(30 * time.Second)
			o := outcomeOf(t.Context(), infer.New(w.config), in)
			if o.Kind != hop.Parked || o.Until.Before(time.Now()) || o.Until.After(time.Now().Add(10*time.Second)) {
				t.Errorf("the second worker: %+v, want it parked until the lease is over", o)
			}
			workers.Wait()
			if n := w.calls.Load(); n != 1 {
				t.Errorf("%d calls", n)
			}
		})
	})
	t.Run("and a repeat emits the same again without a call", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.leases(lease.NewMemory())
			in := w.scheduled()
			first := w.one(infer.New(w.config), in)
			<-time.After(time.Second)
			again := w.one(infer.New(w.config), in)
			if !bytes.Equal(first.Data, again.Data) || first.ID != again.ID || again.Type != events.Completed || w.calls.Load() != 1 {
				t.Errorf("after %d calls the repeat emitted %+v", w.calls.Load(), again)
			}
		})
	})
	t.Run("and a failure is repeated as the same failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.leases(lease.NewMemory())
			w.config.Models = fails(events.CodeUnavailable, &w.calls)
			in := w.scheduled()
			w.one(infer.New(w.config), in)
			again := w.one(infer.New(w.config), in)
			if again.ErrorCode != events.CodeUnavailable || again.Begun != 1 || len(again.Tried) != 1 || w.calls.Load() != 1 {
				t.Errorf("after %d calls the repeat emitted %+v", w.calls.Load(), again)
			}
		})
	})
	t.Run("and a worker that stalled past its lease tells nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			shared := lease.NewMemory()
			stalled := &unreachable{Store: shared}
			w.leases(stalled)
			w.config.Models = modelIn(func(context.Context, model.Call) (model.Answer, error) {
				w.calls.Add(1)
				stalled.away.Store(true)
				<-time.After(time.Minute) // it does not see that its context has ended
				return model.Answer{Output: "late", Message: []byte(`{"role":"assistant","content":"late"}`)}, nil
			})
			in := w.scheduled()
			late := infer.New(w.config)
			var workers sync.WaitGroup
			workers.Go(func() {
				if o := outcomeOf(t.Context(), late, in); o.Kind != hop.Parked {
					t.Errorf("the late worker: %+v, want it parked", o)
				}
			})
			<-time.After(30 * time.Second)
			w.leases(shared)
			w.config.Models = says("second", time.Second, &w.calls)
			out := w.one(infer.New(w.config), in)
			workers.Wait()
			if again := w.one(infer.New(w.config), in); !bytes.Equal(again.Data, out.Data) || w.calls.Load() != 2 {
				t.Errorf("after %d calls the outcome is %s", w.calls.Load(), again.Data)
			}
		})
	})
	t.Run("by this process, while the store is away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			away := &unreachable{Store: lease.NewMemory()}
			away.away.Store(true)
			w.leases(away)
			h, in := infer.New(w.config), w.scheduled()
			w.one(h, in)
			w.one(h, in)
			if n := w.calls.Load(); n != 1 {
				t.Errorf("%d calls", n)
			}
		})
	})
	t.Run("and a worker that drains leaves it to the next at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.leases(lease.NewMemory())
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			in := w.scheduled()
			if _, err := infer.New(w.config)(ctx, in); err == nil {
				t.Fatal("a call that was cut short has an outcome")
			}
			w.one(infer.New(w.config), in)
		})
	})
}
