package bulkhead_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/internal/bulkhead"
)

var errAway = errors.New("the store is away")

// faulty is a store that can be made to fail, and that counts how often it is asked for a place.
type faulty struct {
	bulkhead.Store

	away atomic.Bool
	asks atomic.Int32
	lose atomic.Bool           // the answers to those who enter, having let them in
	wait func(context.Context) // before the answer to those who enter; nil: not at all
}

func (f *faulty) Enter(ctx context.Context, target, id string, limit int, now time.Time, ttl time.Duration) (bool, error) {
	f.asks.Add(1)
	if f.away.Load() {
		return false, errAway
	}
	ok, err := f.Store.Enter(ctx, target, id, limit, now, ttl)
	if f.wait != nil {
		f.wait(ctx)
	}
	if f.lose.Load() {
		return false, errAway
	}
	return ok, err
}

func (f *faulty) Stay(ctx context.Context, target, id string, now time.Time, ttl time.Duration) error {
	if f.away.Load() {
		return errAway
	}
	return f.Store.Stay(ctx, target, id, now, ttl)
}

func (f *faulty) Leave(ctx context.Context, target, id string) error {
	if f.away.Load() {
		return errAway
	}
	return f.Store.Leave(ctx, target, id)
}

func TestAPlaceThatNobodyHeardOfIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := bulkhead.NewMemory()
		store := &faulty{Store: memory, wait: func(ctx context.Context) { <-ctx.Done() }}
		p := start(t, "p", store)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Enter(ctx, "t", "x", 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("enter: %v", err)
		}
		since := time.Now()
		start(t, "other", memory).call(1)()
		if waited := time.Since(since); waited > 0 {
			t.Errorf("the place was free after %v", waited)
		}
	})
}

func TestWithoutItsStoreEachProcessKeepsTheLimitItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &faulty{Store: bulkhead.NewMemory()}
		p, other := start(t, "p", store), start(t, "other", store)
		shared := p.call(3)
		store.away.Store(true)
		leave := []func(){p.call(3), p.call(3)}
		p.isFull(3)
		leave = append(leave, other.call(3), other.call(3), other.call(3))
		other.isFull(3)

		// The store is back: none gets more than the limit, and after a renewal all are known to it.
		store.away.Store(false)
		p.isFull(3)
		other.isFull(3)
		<-time.After(10 * time.Second)
		shared()
		start(t, "third", store).isFull(3)
		for _, l := range leave[:3] {
			l()
		}
		p.call(3)() // two are left of the other's
		for _, l := range leave[3:] {
			l()
		}
	})
}

func TestAnAnswerThatIsLostCostsNoSecondPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &faulty{Store: bulkhead.NewMemory()}
		p := start(t, "p", store)
		store.lose.Store(true)
		leave := p.call(2) // let in by itself, and by the store
		store.lose.Store(false)
		second := p.call(2)
		leave()
		p.call(2)()
		second()
	})
}

func TestAStoreThatGoesAwayIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		store := &faulty{Store: bulkhead.NewMemory()}
		b := bulkhead.New(bulkhead.Config{Store: store, Log: slog.New(slog.NewTextHandler(&log, nil))})
		for i := range 30 {
			store.away.Store(i%20 >= 10)
			leave, err := b.Enter(t.Context(), "t", strconv.Itoa(i), 1)
			if err != nil {
				t.Fatal(err)
			}
			leave()
		}
		if away, back := strings.Count(log.String(), "store is away: "), strings.Count(log.String(), "store is back"); away != 1 || back != 1 {
			t.Errorf("away %d times, back %d times:\n%s", away, back, log.String())
		}
	})
}
