// Package ledgertest is the conformance suite of stores of the ledger: what any place that keeps account promises.
package ledgertest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
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
		{"an attempt that is repeated is reserved once", reservedOnce},
		{"what was settled takes the place of what was reserved", settled},
		{"an attempt that costs more than was reserved counts in full", settledOver},
		{"an attempt is settled once", settledOnce},
		{"a settled attempt that is repeated is let through and reserves nothing", reservedAfterSettle},
		{"an attempt without a reservation counts when it is settled", settledWithoutReserve},
		{"what was released can be spent", released},
		{"what was never settled stays reserved", neverSettled},
		{"the same attempt has nothing to do with it in another account", accountsApart},
		{"amounts are exact to the last", exact},
		{"amounts out of bounds are errors", outOfBounds},
		{"a budget that is lowered refuses what no longer fits", lowered},
		{"concurrent attempts never overspend, and the sums agree", neverOverspent},
		{"attempts are summed by day, tenant, model and target", summed},
		{"an attempt is counted once", countedOnce},
		{"concurrent attempts are all counted", allCounted},
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

func reservedAfterSettle(t *testing.T, open func() ledger.Store) {
	reserve(t, open(), "a-1", 60, 100, true)
	settle(t, open(), "a-1", 100)
	reserve(t, open(), "a-1", 60, 100, true)
	release(t, open(), "a-1")
	settle(t, open(), "a-1", 60)
	stands(t, open(), 100, 0)
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

func entry(id string) ledger.Entry {
	return ledger.Entry{
		ID: id, Tenant: "search", Model: "gpt-4/turbo", Target: "main", Money: 7,
		Usage: events.Usage{PromptTokens: 3, CompletionTokens: 2, TotalTokens: 5},
	}
}

func tally(t *testing.T, s ledger.Store, at time.Time, e ledger.Entry) {
	t.Helper()
	if err := s.Count(t.Context(), at, e); err != nil {
		t.Errorf("count of %s: %v", e.ID, err)
	}
}

func totals(t *testing.T, s ledger.Store, from, to time.Time, want ...ledger.Total) {
	t.Helper()
	got, err := s.Totals(t.Context(), from, to)
	if err != nil || len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("totals: %+v, %v, want %+v", got, err, want)
	}
}

func summed(t *testing.T, open func() ledger.Store) {
	midnight := now.Truncate(24 * time.Hour)
	tally(t, open(), now, entry("a-1"))
	tally(t, open(), now, entry("a-2"))
	tally(t, open(), now.In(time.FixedZone("east", 12*3600)), entry("a-3")) // the next day there
	tally(t, open(), midnight.Add(-1), entry("a-4"))
	for i, change := range []func(*ledger.Entry){
		func(e *ledger.Entry) { e.Target = "other" },
		func(e *ledger.Entry) { e.Model = "a" },
		func(e *ledger.Entry) { e.Tenant = "shop" },
		func(e *ledger.Entry) { e.Tenant, e.Usage, e.Money = "shop", events.Usage{}, 0 }, // one that failed
	} {
		e := entry(fmt.Sprintf("b-%d", i))
		change(&e)
		tally(t, open(), now, e)
	}
	row := func(tenant, model, target string, n int64) ledger.Total {
		return ledger.Total{
			Day: "2026-11-24", Tenant: tenant, Model: model, Target: target,
			Attempts: n, InputTokens: 3 * n, OutputTokens: 2 * n, Money: catalog.Money(7 * n),
		}
	}
	before, shop := row("search", "gpt-4/turbo", "main", 1), row("shop", "gpt-4/turbo", "main", 1)
	before.Day, shop.Attempts = "2026-11-23", 2
	today := []ledger.Total{
		row("search", "a", "main", 1), row("search", "gpt-4/turbo", "main", 3), row("search", "gpt-4/turbo", "other", 1), shop,
	}
	totals(t, open(), now, now, today...)
	totals(t, open(), midnight, midnight.Add(24*time.Hour-1), today...)
	totals(t, open(), now.AddDate(0, 0, -30), now.AddDate(0, 0, 30), append([]ledger.Total{before}, today...)...)
	totals(t, open(), now.AddDate(0, 0, -1), now.AddDate(0, 0, -1), before)
	totals(t, open(), now.AddDate(0, 0, 1), now.AddDate(0, 0, 9))
	totals(t, open(), now, now.AddDate(0, 0, -1))
}

func countedOnce(t *testing.T, open func() ledger.Store) {
	midnight := now.Truncate(24*time.Hour).AddDate(0, 0, 1)
	e := entry("a-1")
	tally(t, open(), midnight.Add(-time.Second), e)
	tally(t, open(), midnight.Add(-time.Second), e)
	e.Tenant, e.Money = "shop", 9
	tally(t, open(), midnight.Add(time.Second), e)
	totals(t, open(), now, midnight, ledger.Total{
		Day: "2026-11-24", Tenant: "search", Model: "gpt-4/turbo", Target: "main", Attempts: 1, InputTokens: 3, OutputTokens: 2, Money: 7,
	})
}

func allCounted(t *testing.T, open func() ledger.Store) {
	const attempts = 100
	stores := []ledger.Store{open(), open(), open(), open()}
	var wg sync.WaitGroup
	for n := range 2 * attempts { // each twice
		wg.Go(func() { tally(t, stores[n%len(stores)], now, entry(fmt.Sprintf("a-%d", n/2))) })
	}
	wg.Wait()
	totals(t, open(), now, now, ledger.Total{
		Day: "2026-11-24", Tenant: "search", Model: "gpt-4/turbo", Target: "main",
		Attempts: attempts, InputTokens: 3 * attempts, OutputTokens: 2 * attempts, Money: 7 * attempts,
	})
}

func namesBounded(t *testing.T, open func() ledger.Store) {
	s := open()
	for what, change := range map[string]func(*ledger.Entry){
		"no tenant":         func(e *ledger.Entry) { e.Tenant = "" },
		"no id":             func(e *ledger.Entry) { e.ID = "" },
		"a model of spaces": func(e *ledger.Entry) { e.Model = "gpt 4" },
		"a long target":     func(e *ledger.Entry) { e.Target = fmt.Sprintf("%0129d", 0) },
		"a negative amount": func(e *ledger.Entry) { e.Money = -1 },
		"letters from afar": func(e *ledger.Entry) { e.Tenant = "é" },
	} {
		e := entry("a-1")
		change(&e)
		if err := s.Count(t.Context(), now, e); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	totals(t, s, now, now)
}

func tooManyDays(t *testing.T, open func() ledger.Store) {
	s := open()
	totals(t, s, now.AddDate(0, 0, -ledger.KeptDays), now)
	if got, err := s.Totals(t.Context(), now.AddDate(0, 0, -ledger.KeptDays-1), now); err == nil {
		t.Errorf("totals of more: %v", got)
	}
}
