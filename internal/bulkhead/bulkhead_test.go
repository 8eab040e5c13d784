package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/internal/bulkhead"
)

// process is a process of the chain that makes calls to one target.
type process struct {
	*testing.T

	name string
	*bulkhead.Bulkhead
	ids atomic.Int32
}

func start(t *testing.T, name string, store bulkhead.Store) *process {
	t.Helper()
	return &process{T: t, name: name, Bulkhead: bulkhead.New(bulkhead.Config{Store: store})}
}

// call takes a place, which there must be some time.
func (p *process) call(limit int) (leave func()) {
	p.Helper()
	leave, err := p.Enter(p.Context(), "t", fmt.Sprint(p.name, p.ids.Add(1)), limit)
	if err != nil {
		p.Error(err)
		return func() {}
	}
	return leave
}

// isFull checks that there is no place within a second.
func (p *process) isFull(limit int) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), time.Second)
	defer cancel()
	if leave, err := p.Enter(ctx, "t", fmt.Sprint(p.name, p.ids.Add(1)), limit); err == nil {
		leave()
		p.Error("there is a place")
	} else if !errors.Is(err, context.DeadlineExceeded) {
		p.Error(err)
	}
}

// meter counts how many calls are made at once.
type meter struct{ calls, most atomic.Int32 }

func (m *meter) begin() {
	for n := m.calls.Add(1); ; {
		most := m.most.Load()
		if n <= most || m.most.CompareAndSwap(most, n) {
			return
		}
	}
}

func (m *meter) end() { m.calls.Add(-1) }

func TestAllProcessesTogetherMakeNoMoreCallsThanTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := bulkhead.NewMemory()
		var m meter
		var wg sync.WaitGroup
		since := time.Now()
		for p := range 4 {
			process := start(t, fmt.Sprint("p", p, "-"), store)
			for range 30 {
				wg.Go(func() {
					leave := process.call(6)
					m.begin()
					<-time.After(time.Second)
					m.end()
					leave()
				})
			}
		}
		wg.Wait()
		if most := m.most.Load(); most != 6 {
			t.Errorf("%d calls at once", most)
		}
		// 120 calls of a second, six at a time, and the pauses between.
		if took := time.Since(since); took > 24*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAProcessWithOneCallIsNotStarvedByABusyOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := bulkhead.NewMemory()
		busy, other := start(t, "busy", store), start(t, "other", store)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for ctx.Err() == nil {
					leave := busy.call(1)
					<-time.After(50 * time.Millisecond)
					leave()
				}
			})
		}
		for range 20 {
			since := time.Now()
			leave := other.call(1)
			if waited := time.Since(since); waited > bulkhead.Turn+200*time.Millisecond {
				t.Errorf("it waited for %v", waited)
			}
			leave()
		}
		cancel()
		wg.Wait()
	})
}

func TestASlowTargetTakesNoPlaceOfAnothers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, "p", bulkhead.NewMemory())
		leave := p.call(1)
		defer leave()
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 50 {
			wg.Go(func() { _, _ = p.Enter(ctx, "t", fmt.Sprint("waiting", i), 1) })
		}
		synctest.Wait()
		since := time.Now()
		other, err := p.Enter(t.Context(), "other", "x", 1)
		if err != nil || time.Since(since) > 0 {
			t.Errorf("after %v: %v", time.Since(since), err)
		}
		other()
		cancel()
		wg.Wait()
	})
}

func TestInOneProcessWhoCameFirstIsFirst(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]bulkhead.Store{"alone": nil, "with a store": bulkhead.NewMemory()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := start(t, "p", store)
				last := p.call(1)
				var mu sync.Mutex
				var order []int
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() {
						leave := p.call(1)
						mu.Lock()
						order = append(order, i)
						mu.Unlock()
						<-time.After(time.Millisecond)
						leave()
					})
					synctest.Wait()
				}
				last()
				wg.Wait()
				if len(order) != 20 || !slices.IsSorted(order) {
					t.Errorf("order %v", order)
				}
			})
		})
	}
}

func TestOneOfAProcessAsksAndMoreAndMoreRarely(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := bulkhead.NewMemory()
		other := start(t, "other", memory)
		leave := other.call(1)
		store := &faulty{Store: memory}
		p := start(t, "p", store)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() { _, _ = p.Enter(ctx, "t", fmt.Sprint("waiting", i), 1) })
		}
		wg.Wait()
		if n := store.asks.Load(); n < 100 || n > 250 {
			t.Errorf("the store was asked %d times in ten seconds", n)
		}
		leave()
	})
}

func TestWhoGivesUpWaitingIsToldSoAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]bulkhead.Store{"alone": nil, "with a store": bulkhead.NewMemory()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := start(t, "p", store)
				leave := p.call(1)
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				for i := range 3 { // the first in line, and two behind it
					wg.Go(func() {
						_, err := p.Enter(ctx, "t", fmt.Sprint("w", i), 1)
						if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "bulkhead: enter t: ") {
							t.Errorf("enter: %v", err)
						}
					})
				}
				synctest.Wait()
				cancel()
				wg.Wait()
				if _, err := p.Enter(ctx, "u", "x", 1); !errors.Is(err, context.Canceled) {
					t.Errorf("enter with a context that is done: %v", err)
				}
				leave()
				leave() // once is enough
				since := time.Now()
				last := p.call(1)
				if waited := time.Since(since); waited > 0 {
					t.Errorf("it waited for %v", waited)
				}
				p.isFull(1)
				last()
			})
		})
	}
}

func TestAPlaceLastsAsLongAsTheCallAndNotLongerThanTheProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := bulkhead.NewMemory()
		store := &faulty{Store: memory}
		p, other := start(t, "p", store), start(t, "other", memory)
		ctx, cancel := context.WithCancel(t.Context())
		leave, err := p.Enter(ctx, "t", "x", 1)
		if err != nil {
			t.Fatal(err)
		}
		cancel() // its call may go on for a moment
		<-time.After(10 * time.Minute)
		other.isFull(1)
		store.away.Store(true) // as when the process dies
		leave()
		since := time.Now()
		other.call(1)()
		if waited := time.Since(since); waited > 31*time.Second {
			t.Errorf("the place was free after %v", waited)
		}
	})
}

func TestTheLimitMayChangeWhileCallsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, "p", nil)
		leave := []func(){p.call(1)}
		var wg sync.WaitGroup
		var in atomic.Int32
		for i := range 3 {
			limit := []int{1, 1, 3}[i]
			wg.Go(func() {
				l := p.call(limit)
				in.Add(1)
				<-time.After(time.Hour)
				l()
			})
			synctest.Wait()
		}
		if n := in.Load(); n != 2 {
			t.Errorf("%d of those who waited were let in", n)
		}
		for _, l := range leave {
			l()
		}
		synctest.Wait()
		if n := in.Load(); n != 3 {
			t.Errorf("%d of those who waited were let in", n)
		}
		p.isFull(1) // less again
		wg.Wait()
		p.call(1)()
	})
}

func TestATargetWithoutALimitHasNone(t *testing.T) {
	t.Parallel()
	store := &faulty{Store: bulkhead.NewMemory()}
	p := start(t, "p", store)
	for range 100 {
		p.call(0) // and nobody leaves
	}
	if n := store.asks.Load(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
}
