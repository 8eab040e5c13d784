package redisstate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/ledger/ledgertest"
)

func TestLedgerConformance(t *testing.T) {
	t.Parallel()
	for name, start := range servers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ledgertest.Run(t, func(t *testing.T) func() ledger.Store {
				client := start(t)
				return func() ledger.Store { return NewLedger(client) }
			})
		})
	}
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestKeysOfTheLedgerLastAsLongAsTheyAreNeeded(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	server, client := miniWithClock(t)
	l := NewLedger(client)
	reserve := func(account, id string, now, expires time.Time) {
		t.Helper()
		if ok, err := l.Reserve(t.Context(), account, id, 1, 10, now, expires); err != nil || !ok {
			t.Fatalf("reserve: %v, %v", ok, err)
		}
	}
	settle := func(account, id string, now time.Time) {
		t.Helper()
		if err := l.Settle(t.Context(), account, id, 1, now); err != nil {
			t.Fatal(err)
		}
	}
	reserve("t/2026-11-24", "a", noon, noon)
	settle("t/2026-11-24", "a", noon.Add(time.Hour))
	settle("t/2026-11", "b", noon)
	reserve("u/2026-11-24T12", "c", noon, noon.Add(9*day)) // longer than the name says
	settle("u/2026-11-24T12", "c", noon)
	settle("v/2026-11-01", "d", noon) // long over
	if err := l.Count(t.Context(), noon, ledger.Entry{ID: "e", Tenant: "t", Model: "m", Target: "x"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Duration{
		"baton:budget:{t%2F2026-11-24}":      2*day + 12*time.Hour, // until the 27th
		"baton:budget:{t%2F2026-11-24}:a":    48 * time.Hour,
		"baton:budget:{t%2F2026-11}":         69*day - 12*time.Hour, // until 1 February
		"baton:budget:{t%2F2026-11}:b":       48 * time.Hour,
		"baton:budget:{u%2F2026-11-24T12}":   9 * day,
		"baton:budget:{u%2F2026-11-24T12}:c": 48 * time.Hour,
		"baton:budget:{v%2F2026-11-01}":      time.Millisecond,
		"baton:budget:{v%2F2026-11-01}:d":    48 * time.Hour,
		"baton:{book}:2026-11-24":            401*day - 12*time.Hour,
		"baton:{book}:counted:e":             15 * time.Minute,
	}
	for _, key := range server.Keys() {
		if got := server.TTL(key); got != want[key] {
			t.Errorf("%s lasts %v, want %v", key, got, want[key])
		}
		delete(want, key)
	}
	if len(want) > 0 {
		t.Errorf("there is no %v", want)
	}
}

func TestWhatIsReservedGoesWithItsAccount(t *testing.T) {
	t.Parallel()
	server, client := miniWithClock(t)
	l := NewLedger(client)
	const account = "t/2026-11-24T12"
	for _, id := range []string{"a", "b"} {
		if ok, err := l.Reserve(t.Context(), account, id, 4, 10, noon, noon); err != nil || !ok {
			t.Fatalf("reserve: %v, %v", ok, err)
		}
	}
	server.FastForward(3 * time.Hour) // the account is over, what is known of its attempts not yet
	if err := l.Release(t.Context(), account, "a"); err != nil {
		t.Fatal(err)
	}
	if err := l.Settle(t.Context(), account, "b", 3, noon.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Spent(t.Context(), account); err != nil || got != (ledger.Spent{Spent: 3}) {
		t.Errorf("the account is %+v, %v: what went must not be given back", got, err)
	}
}

func TestTheBookSkipsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	server, client := miniWithClock(t)
	l := NewLedger(client)
	server.HSet("baton:{book}:2026-11-24", "a field", "x", "t m x later", "7", "t m x attempts", "2")
	want := []ledger.Total{{Day: "2026-11-24", Tenant: "t", Model: "m", Target: "x", Attempts: 2}}
	if got, err := l.Totals(t.Context(), noon, noon); err != nil || !slices.Equal(got, want) {
		t.Errorf("totals: %+v, %v, want %+v", got, err, want)
	}
	server.HSet("baton:{book}:2026-11-24", "t m x money", "much")
	if got, err := l.Totals(t.Context(), noon, noon); err == nil {
		t.Errorf("totals of what is no number: %+v", got)
	}
}

// A budget is never spent on a guess: a server that is away is an error in every step.
func TestALedgerThatIsAwayLetsNothingThrough(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client, err := Open("redis://"+server.Addr(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	l := NewLedger(client)
	server.Close()
	for name, ask := range map[string]func(context.Context) error{
		"reserve": func(ctx context.Context) error {
			ok, err := l.Reserve(ctx, "t/2026-11-24", "a", 0, 10, noon, noon)
			if ok {
				return fmt.Errorf("it is reserved: %w", err)
			}
			return err
		},
		"settle":  func(ctx context.Context) error { return l.Settle(ctx, "t/2026-11-24", "a", 1, noon) },
		"release": func(ctx context.Context) error { return l.Release(ctx, "t/2026-11-24", "a") },
		"spent":   func(ctx context.Context) error { _, err := l.Spent(ctx, "t/2026-11-24"); return err },
		"count": func(ctx context.Context) error {
			return l.Count(ctx, noon, ledger.Entry{ID: "a", Tenant: "t", Model: "m", Target: "x"})
		},
		"totals": func(ctx context.Context) error { _, err := l.Totals(ctx, noon, noon); return err },
	} {
		if err := ask(t.Context()); !errors.Is(err, ErrAway) {
			t.Errorf("%s: %v, want %v", name, err, ErrAway)
		}
	}
}

func BenchmarkAnAttemptInTheLedger(b *testing.B) {
	server := miniredis.RunT(b)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, DialerRetries: 1})
	defer func() { _ = client.Close() }()
	l := NewLedger(client)
	account, ends := ledger.Account("t", catalog.Budget{Period: catalog.Day}, noon)
	for i := 0; b.Loop(); i++ {
		id := strconv.Itoa(i)
		if ok, err := l.Reserve(b.Context(), account, id, 100, ledger.MaxMoney, noon, ends); err != nil || !ok {
			b.Fatal(ok, err)
		}
		if err := l.Settle(b.Context(), account, id, 50, noon); err != nil {
			b.Fatal(err)
		}
	}
}
