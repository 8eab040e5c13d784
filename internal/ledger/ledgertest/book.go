package ledgertest

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
)

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
