// Package ledgertest is the conformance suite of stores of the ledger: what any place that keeps account promises.
package ledgertest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
)

// Run runs the suite. Start makes a new and empty store, and returns a function that opens it as another process would.
func Run(t *testing.T, start func(t *testing.T) (open func() ledger.Store)) {
	for _, c := range []struct {
		promise string
		check   func(*testing.T, func() ledger.Store)
	}{
		{"an unknown account is empty", emptyAccount},
		{"what fits is reserved, what does not is refused", upToTheBudget},
		{"a reservation that is repeated is made once", reservedOnce},
		{"what was settled takes the place of what was reserved", settled},
		{"an execution that costs more than was reserved counts in full", settledOver},
		{"an execution is settled once", settledOnce},
		{"each execution of an attempt is paid for", executionsAddUp},
		{"what was settled is no pass through a budget that is spent", noFreePass},
		{"an execution without a reservation counts when it is settled", settledWithoutReserve},
		{"what was released can be spent", released},
		{"what was never settled stays reserved", neverSettled},
		{"the same execution has nothing to do with it in another account", accountsApart},
		{"amounts are exact to the last", exact},
		{"amounts out of bounds are errors", outOfBounds},
		{"a budget that is lowered refuses what no longer fits", lowered},
		{"concurrent executions never overspend, and the sums agree", neverOverspent},
		{"executions are summed by day, tenant, model and target", summed},
		{"an execution is counted once", countedOnce},
		{"concurrent executions are all counted", allCounted},
		{"what has no name in a configuration is not counted", namesBounded},
		{"more days than are kept are an error", tooManyDays},
	} {
		t.Run(c.promise, func(t *testing.T) {
			t.Parallel()
			c.check(t, start(t))
		})
	}
}

var now = time.Date(2026, 11, 24, 13, 30, 0, 0, time.UTC)

var account, ends = ledger.Account("search", catalog.Budget{Amount: 100, Period: catalog.Day}, now)

func reserve(t *testing.T, s ledger.Store, id string, amount, budget catalog.Money, want bool) {
	t.Helper()
	if ok, err := s.Reserve(t.Context(), account, id, amount, budget, now, ends); err != nil || ok != want {
		t.Errorf("reserve %d of %d for %s: %v, %v, want %v", amount, budget, id, ok, err, want)
	}
}

func settle(t *testing.T, s ledger.Store, id string, amount catalog.Money) {
	t.Helper()
	if err := s.Settle(t.Context(), account, id, amount, now); err != nil {
		t.Errorf("settle %d for %s: %v", amount, id, err)
	}
}

func release(t *testing.T, s ledger.Store, id string) {
	t.Helper()
	if err := s.Release(t.Context(), account, id); err != nil {
		t.Errorf("release %s: %v", id, err)
	}
}

func stands(t *testing.T, s ledger.Store, spent, reserved catalog.Money) {
	t.Helper()
	want := ledger.Spent{Spent: spent, Reserved: reserved}
	if got, err := s.Spent(t.Context(), account); err != nil || got != want {
		t.Errorf("the account is %+v, %v, want %+v", got, err, want)
	}
}

func emptyAccount(t *testing.T, open func() ledger.Store) {
	s := open()
	stands(t, s, 0, 0)
	release(t, s, "a-1")
	stands(t, s, 0, 0)
}

func upToTheBudget(t *testing.T, open func() ledger.Store) {
	reserve(t, open(), "a-1", 60, 100, true)
	reserve(t, open(), "a-2", 41, 100, false)
	stands(t, open(), 0, 60)
	reserve(t, open(), "a-2", 40, 100, true)
	reserve(t, open(), "a-3", 1, 100, false)
	reserve(t, open(), "a-4", 0, 100, true)
	stands(t, open(), 0, 100)
}

func reservedOnce(t *testing.T, open func() ledger.Store) {
	for range 3 {
		reserve(t, open(), "a-1", 60, 100, true)
	}
	reserve(t, open(), "a-1", 70, 100, true)
	stands(t, open(), 0, 60)
}

func settled(t *testing.T, open func() ledger.Store) {
	reserve(t, open(), "a-1", 60, 100, true)
	settle(t, open(), "a-1", 10)
	stands(t, open(), 10, 0)
	reserve(t, open(), "a-2", 90, 100, true)
	settle(t, open(), "a-2", 0)
	stands(t, open(), 10, 0)
	reserve(t, open(), "a-3", 0, 100, true)
	settle(t, open(), "a-3", 5)
	stands(t, open(), 15, 0)
}

func settledOver(t *testing.T, open func() ledger.Store) {
	reserve(t, open(), "a-1", 60, 100, true)
	settle(t, open(), "a-1", 130)
	stands(t, open(), 130, 0)
	reserve(t, open(), "a-2", 0, 100, false)
}

func settledOnce(t *testing.T, open func() ledger.Store) {
	reserve(t, open(), "a-1", 60, 100, true)
	reserve(t, open(), "a-2", 30, 100, true)
	for range 3 {
		settle(t, open(), "a-1", 10)
	}
	settle(t, open(), "a-1", 20)
	stands(t, open(), 10, 30)
}

// executionsAddUp makes an attempt again and again: once its process dies before it settles, which may have been paid for.
func executionsAddUp(t *testing.T, open func() ledger.Store) {
	for token, lost := range []bool{false, true, false, false} {
		id := fmt.Sprintf("a-1#%d", token)
		reserve(t, open(), id, 30, 100, true)
		if !lost {
			settle(t, open(), id, 20)
			settle(t, open(), id, 20) // its answer was lost
		}
	}
	stands(t, open(), 60, 30)
	reserve(t, open(), "a-1#4", 30, 100, false)
}

func noFreePass(t *testing.T, open func() ledger.Store) {
	reserve(t, open(), "a-1", 60, 100, true)
	settle(t, open(), "a-1", 30)
	reserve(t, open(), "a-1", 71, 100, false)
	reserve(t, open(), "a-1", 60, 100, true)
	reserve(t, open(), "a-1", 60, 100, true) // its answer was lost
	stands(t, open(), 30, 60)
	settle(t, open(), "a-1", 50)
	settle(t, open(), "a-1", 50)
	stands(t, open(), 80, 0)
	release(t, open(), "a-1")
	settle(t, open(), "a-1", 60)
	reserve(t, open(), "a-1", 21, 100, false)
	stands(t, open(), 80, 0)
}

func settledWithoutReserve(t *testing.T, open func() ledger.Store) {
	settle(t, open(), "a-1", 10)
	stands(t, open(), 10, 0)
	reserve(t, open(), "a-2", 91, 100, false)
}

func released(t *testing.T, open func() ledger.Store) {
	reserve(t, open(), "a-1", 60, 100, true)
	reserve(t, open(), "a-2", 0, 100, true)
	release(t, open(), "a-1")
	release(t, open(), "a-1")
	release(t, open(), "a-2")
	stands(t, open(), 0, 0)
	reserve(t, open(), "a-1", 100, 100, true)
	stands(t, open(), 0, 100)
}

func neverSettled(t *testing.T, open func() ledger.Store) {
	reserve(t, open(), "a-1", 60, 100, true)
	for i := range 10 {
		id := fmt.Sprintf("a-%d", i+2)
		reserve(t, open(), id, 40, 100, true)
		settle(t, open(), id, 0)
	}
	stands(t, open(), 0, 60)
	reserve(t, open(), "a-99", 41, 100, false)
}

func accountsApart(t *testing.T, open func() ledger.Store) {
	s := open()
	next, _ := ledger.Account("search", catalog.Budget{Amount: 100, Period: catalog.Day}, ends)
	reserve(t, s, "a-1", 60, 100, true)
	if ok, err := s.Reserve(t.Context(), next, "a-1", 70, 100, ends, ends.AddDate(0, 0, 1)); err != nil || !ok {
		t.Errorf("reserve in the next period: %v, %v", ok, err)
	}
	if err := s.Settle(t.Context(), account, "a-1", 50, ends.Add(time.Minute)); err != nil { // in the next period
		t.Errorf("settle: %v", err)
	}
	stands(t, s, 50, 0)
	if got, err := s.Spent(t.Context(), next); err != nil || got != (ledger.Spent{Reserved: 70}) {
		t.Errorf("the next account is %+v, %v", got, err)
	}
}

func exact(t *testing.T, open func() ledger.Store) {
	const most = ledger.MaxMoney
	s := open()
	reserve(t, s, "a-1", most-1, most, true)
	reserve(t, s, "a-2", 2, most, false)
	reserve(t, s, "a-2", 1, most, true)
	reserve(t, s, "a-3", 1, most, false)
	settle(t, s, "a-1", most-3)
	stands(t, s, most-3, 1)
	reserve(t, s, "a-4", 3, most, false)
	reserve(t, s, "a-4", 2, most, true)
	stands(t, s, most-3, 3)
}

func outOfBounds(t *testing.T, open func() ledger.Store) {
	s := open()
	for _, amount := range []catalog.Money{-1, ledger.MaxMoney + 1} {
		if ok, err := s.Reserve(t.Context(), account, "a-1", amount, 100, now, ends); err == nil || ok {
			t.Errorf("reserve %d: %v, %v", amount, ok, err)
		}
		if err := s.Settle(t.Context(), account, "a-1", amount, now); err == nil {
			t.Errorf("settle %d: no error", amount)
		}
	}
	if ok, err := s.Reserve(t.Context(), account, "", 1, 100, now, ends); err == nil || ok {
		t.Errorf("reserve without an id: %v, %v", ok, err)
	}
	if err := s.Settle(t.Context(), "", "a-1", 1, now); err == nil {
		t.Error("settle without an account: no error")
	}
	stands(t, s, 0, 0)
}

func lowered(t *testing.T, open func() ledger.Store) {
	s := open()
	reserve(t, s, "a-1", 60, 100, true)
	reserve(t, s, "a-2", 0, 50, false)
	reserve(t, s, "a-3", 0, 60, true)
	reserve(t, s, "a-4", 0, 0, false)
	reserve(t, s, "a-5", 40, 200, true)
}

// neverOverspent lets many attempts on four processes reserve, and then settle for less, release, or do neither. What one
// learns of the account in between must never be over the budget, and at last it must be what the attempts say.
func neverOverspent(t *testing.T, open func() ledger.Store) {
	const budget, attempts = 1000, 100
	stores := []ledger.Store{open(), open(), open(), open()}
	var spent, reserved, refused atomic.Int64
	var wg sync.WaitGroup
	for n := range attempts {
		wg.Go(func() {
			s, id, amount := stores[n%len(stores)], fmt.Sprintf("a-%d", n), catalog.Money(5+rand.Int64N(40))
			ok, err := s.Reserve(t.Context(), account, id, amount, budget, now, ends)
			if err != nil {
				t.Errorf("reserve: %v", err)
			}
			if state, err := s.Spent(t.Context(), account); err != nil || state.Spent+state.Reserved > budget {
				t.Errorf("the account is %+v, %v, over %d", state, err, budget)
			}
			if !ok {
				refused.Add(1)
				return
			}
			switch n % 5 {
			case 0:
				reserved.Add(int64(amount))
			case 1:
				if err := s.Release(t.Context(), account, id); err != nil {
					t.Errorf("release: %v", err)
				}
			default:
				cost := amount - catalog.Money(rand.Int64N(5))
				for range 2 { // the second on another process
					if err := s.Settle(t.Context(), account, id, cost, now); err != nil {
						t.Errorf("settle: %v", err)
					}
					s = stores[(n+1)%len(stores)]
				}
				spent.Add(int64(cost))
			}
		})
	}
	wg.Wait()
	stands(t, open(), catalog.Money(spent.Load()), catalog.Money(reserved.Load()))
	if refused.Load() == 0 {
		t.Errorf("none of %d attempts was refused by a budget that they pass: spent %d", attempts, spent.Load())
	}
}
