// Package tallytest is the conformance suite of stores of tallies.
package tallytest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/internal/tally"
)

// Run runs the suite over stores with nobody in them.
func Run(t *testing.T, open func(t *testing.T) tally.Store) {
	for promise, check := range map[string]func(*testing.T, tally.Store){
		"as many enter as may be, and not one more":      bounded,
		"whoever is in stays in, full or not":            idempotent,
		"whoever left makes room":                        leaving,
		"whoever expired makes room":                     expiring,
		"the later expiry counts":                        laterExpiry,
		"what has expired before it comes is not kept":   expiredBefore,
		"tenants do not share a bound":                   tenantsApart,
		"a smaller bound lets none in and puts none out": boundChanges,
		"a sample is of those that are in":               samples,
		"many at once are as many as may be":             manyAtOnce,
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

var (
	now   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later = now.Add(time.Hour)
)

func enter(t *testing.T, s tally.Store, id string, most int, now, expires time.Time, want tally.Entry) {
	t.Helper()
	got, err := s.Enter(t.Context(), "tenant", id, most, now, expires)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("%s: entry %d, want %d", id, got, want)
	}
}

func leave(t *testing.T, s tally.Store, ids ...string) {
	t.Helper()
	if err := s.Leave(t.Context(), "tenant", ids...); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, s tally.Store, now time.Time, want int) {
	t.Helper()
	got, err := s.Count(t.Context(), "tenant", now)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("%d are in, want %d", got, want)
	}
}

func bounded(t *testing.T, s tally.Store) {
	count(t, s, now, 0)
	enter(t, s, "a", 2, now, later, tally.Entered)
	enter(t, s, "b", 2, now, later, tally.Entered)
	enter(t, s, "c", 2, now, later, tally.Full)
	count(t, s, now, 2)
}

func idempotent(t *testing.T, s tally.Store) {
	enter(t, s, "a", 1, now, later, tally.Entered)
	enter(t, s, "a", 1, now, later, tally.Present)
	enter(t, s, "b", 1, now, later, tally.Full)
	enter(t, s, "a", 1, now, later, tally.Present)
	count(t, s, now, 1)
}

func leaving(t *testing.T, s tally.Store) {
	enter(t, s, "a", 2, now, later, tally.Entered)
	enter(t, s, "b", 2, now, later, tally.Entered)
	leave(t, s)
	leave(t, s, "nobody")
	leave(t, s, "a", "b", "nobody")
	leave(t, s, "a")
	count(t, s, now, 0)
	enter(t, s, "c", 1, now, later, tally.Entered)
}

func expiring(t *testing.T, s tally.Store) {
	enter(t, s, "a", 2, now, now.Add(time.Second), tally.Entered)
	enter(t, s, "b", 2, now, later, tally.Entered)
	count(t, s, now.Add(999*time.Millisecond), 2)
	enter(t, s, "c", 2, now.Add(999*time.Millisecond), later, tally.Full)
	count(t, s, now.Add(time.Second), 1)
	enter(t, s, "c", 2, now.Add(time.Second), later, tally.Entered)
	enter(t, s, "d", 2, later, later.Add(time.Hour), tally.Entered)
	count(t, s, later, 1)
}

func laterExpiry(t *testing.T, s tally.Store) {
	enter(t, s, "a", 1, now, now.Add(time.Minute), tally.Entered)
	enter(t, s, "a", 1, now, later, tally.Present)
	enter(t, s, "a", 1, now, now.Add(time.Minute), tally.Present)
	count(t, s, later.Add(-time.Millisecond), 1)
	count(t, s, later, 0)
}

func expiredBefore(t *testing.T, s tally.Store) {
	enter(t, s, "a", 1, now, now, tally.Entered)
	enter(t, s, "b", 1, now, now.Add(-time.Hour), tally.Entered)
	count(t, s, now, 0)
	enter(t, s, "c", 1, now, later, tally.Entered)
}

func tenantsApart(t *testing.T, s tally.Store) {
	enter(t, s, "a", 1, now, later, tally.Entered)
	if got, err := s.Enter(t.Context(), "other", "a", 1, now, later); got != tally.Entered || err != nil {
		t.Errorf("entry %d, %v", got, err)
	}
}

func boundChanges(t *testing.T, s tally.Store) {
	for _, id := range []string{"a", "b", "c"} {
		enter(t, s, id, 3, now, later, tally.Entered)
	}
	enter(t, s, "d", 2, now, later, tally.Full)
	enter(t, s, "a", 2, now, later, tally.Present)
	count(t, s, now, 3)
	enter(t, s, "d", 4, now, later, tally.Entered)
}

func samples(t *testing.T, s tally.Store) {
	in := []string{"a", "b", "c", "d"}
	expect := func(n, want int) {
		t.Helper()
		got, err := s.Sample(t.Context(), "tenant", n)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if len(got) != want || len(slices.Compact(got)) != want {
			t.Errorf("a sample of %d is %v", n, got)
		}
		for _, id := range got {
			if !slices.Contains(in, id) {
				t.Errorf("%s is not in", id)
			}
		}
	}
	expect(3, 0)
	for _, id := range in {
		enter(t, s, id, 4, now, later, tally.Entered)
	}
	expect(3, 3)
	expect(9, 4)
	leave(t, s, "a")
	enter(t, s, "a", 4, now, later, tally.Entered)
	leave(t, s, "b")
	in = []string{"a", "c", "d"}
	expect(9, 3)
	told := map[string]bool{}
	for i := 0; len(told) < len(in); i++ {
		if i == 1000 { // by chance it is once in 10^176
			t.Fatalf("it told of %v in %d samples", told, i)
		}
		one, err := s.Sample(t.Context(), "tenant", 1)
		if err != nil || len(one) != 1 {
			t.Fatalf("a sample of one is %v, %v", one, err)
		}
		told[one[0]] = true
	}
}

func manyAtOnce(t *testing.T, s tally.Store) {
	var entered atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 20 {
				// Every request comes twice at once.
				got, err := s.Enter(t.Context(), "tenant", fmt.Sprint(i/2, "-", j), 33, now, later)
				if err != nil {
					t.Error(err)
				}
				if got == tally.Entered {
					entered.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := entered.Load(); n != 33 {
		t.Errorf("%d entered, want 33", n)
	}
	count(t, s, now, 33)
}
