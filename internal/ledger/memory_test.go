package ledger_test

import (
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/ledger/ledgertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryConformance(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) func() ledger.Store {
		m := ledger.NewMemory()
		return func() ledger.Store { return m }
	})
}

func TestMemoryForgetsInTime(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 13, 30, 0, 0, time.UTC)
	budget := catalog.Budget{Amount: 100, Period: catalog.Hour}
	name, ends := ledger.Account("search", budget, start)
	setup := func(t *testing.T) (m *ledger.Memory, reserve func(name, id string, amount catalog.Money, now time.Time) bool) {
		m = ledger.NewMemory()
		return m, func(name, id string, amount catalog.Money, now time.Time) bool {
			ok, err := m.Reserve(t.Context(), name, id, amount, budget.Amount, now, ends)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
	}
	t.Run("an account when two periods have passed since its end", func(t *testing.T) {
		t.Parallel()
		_, reserve := setup(t)
		reserve(name, "a-1", 60, start)
		if over := ends.Add(2 * time.Hour); reserve(name, "a-2", 60, over.Add(-1)) || !reserve(name, "a-3", 60, over) {
			t.Error("it is not kept until then, or longer")
		}
	})
	t.Run("an account that is over when another begins", func(t *testing.T) {
		t.Parallel()
		m, reserve := setup(t)
		reserve(name, "a-1", 60, start)
		later := start.Add(9 * time.Hour)
		next, _ := ledger.Account("search", budget, later)
		reserve(next, "a-2", 60, later)
		if got, err := m.Spent(t.Context(), name); err != nil || got != (ledger.Spent{}) {
			t.Errorf("it is kept: %+v, %v", got, err)
		}
	})
	t.Run("an attempt when nobody repeats it any more", func(t *testing.T) {
		t.Parallel()
		m, _ := setup(t)
		month, _ := ledger.Account("search", catalog.Budget{Period: catalog.Month}, start)
		settle := func(now time.Time) catalog.Money {
			if err := m.Settle(t.Context(), month, "a-1", 10, now); err != nil {
				t.Fatal(err)
			}
			s, _ := m.Spent(t.Context(), month)
			return s.Spent
		}
		settle(start)
		if got := settle(start.Add(ledger.Remembered - 1)); got != 10 {
			t.Errorf("it is forgotten too early: spent %d", got)
		}
		if got := settle(start.Add(ledger.Remembered)); got != 20 {
			t.Errorf("it is not forgotten: spent %d", got)
		}
	})
	t.Run("that an attempt was counted, and days long past", func(t *testing.T) {
		t.Parallel()
		m, _ := setup(t)
		count := func(now time.Time, n int) {
			for i := range n {
				if err := m.Count(t.Context(), now, ledger.Entry{ID: strconv.Itoa(i), Tenant: "t", Model: "m", Target: "x"}); err != nil {
					t.Fatal(err)
				}
			}
		}
		attempts := func(day time.Time) (n int64) {
			all, err := m.Totals(t.Context(), day, day)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range all {
				n += row.Attempts
			}
			return n
		}
		count(start, 5000)
		count(start.Add(ledger.Recent-1), 5000)
		if got := attempts(start); got != 5000 {
			t.Errorf("%d attempts, want 5000", got)
		}
		count(start.Add(2*ledger.Recent), 5000)
		if got := attempts(start); got != 10000 {
			t.Errorf("%d attempts, want 10000", got)
		}
		count(start.AddDate(0, 0, ledger.KeptDays), 1)
		if got := attempts(start); got != 10000 {
			t.Errorf("a day is forgotten too early: %d attempts", got)
		}
		count(start.AddDate(0, 0, ledger.KeptDays+1), 1)
		if got := attempts(start); got != 0 {
			t.Errorf("a day is not forgotten: %d attempts", got)
		}
	})
}
