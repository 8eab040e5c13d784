// Package healthtest is the conformance suite of what health is shared by: what any [health.Store] promises.
package healthtest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/internal/health"
)

// Harness makes stores for the suite.
type Harness struct {
	// Open returns a new and empty store. pass lets the time go by for what is in it, where that goes by a clock of its own;
	// nil: it goes by the caller's.
	Open func(t *testing.T) (s health.Store, pass func(time.Duration))
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	cases := []struct {
		promise string
		check   func(*testing.T, Harness)
	}{
		{"what is not kept is nil", nothing},
		{"what is kept is read in the order it is asked for", order},
		{"a record is replaced only for the one that its writer read", compare},
		{"each change stands for itself", apart},
		{"a swap may be repeated", repeated},
		{"of many that count at once none is lost", counting},
		{"a record is any bytes", anyBytes},
		{"a record expires when its last writer said", recordExpires},
		{"a slot is of one holder at a time", oneHolder},
		{"a slot is only given back by who holds it", givenBack},
		{"a slot expires, unless its holder renews it", slotExpires},
		{"slots of targets are apart, and apart from records", slotsApart},
		{"a call that is canceled is an error", canceled},
	}
	for _, c := range cases {
		t.Run(c.promise, func(t *testing.T) {
			t.Parallel()
			c.check(t, h)
		})
	}
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const ttl = time.Minute

func read(t *testing.T, s health.Store, now time.Time, targets ...string) [][]byte {
	t.Helper()
	got, err := s.Read(t.Context(), targets, now)
	if err != nil || len(got) != len(targets) {
		t.Fatalf("read %v: %q, %v", targets, got, err)
	}
	return got
}

func swap(t *testing.T, s health.Store, now time.Time, target, old, next string) string {
	t.Helper()
	got, err := s.Swap(t.Context(), []health.Change{change(target, old, next)}, now, ttl)
	if err != nil || len(got) != 1 {
		t.Fatalf("swap %s: %q, %v", target, got, err)
	}
	return string(got[0])
}

func change(target, old, next string) health.Change {
	c := health.Change{Target: target, New: []byte(next)}
	if old != "" {
		c.Old = []byte(old)
	}
	return c
}

func nothing(t *testing.T, h Harness) {
	s, _ := h.Open(t)
	if got := read(t, s, start, "a", "b"); got[0] != nil || got[1] != nil {
		t.Errorf("got %q", got)
	}
	if got := read(t, s, start); len(got) != 0 {
		t.Errorf("of no targets: %q", got)
	}
	if got, err := s.Swap(t.Context(), []health.Change{change("a", "something", "x")}, start, ttl); err != nil || got[0] != nil {
		t.Errorf("swap for what is not kept: %q, %v", got, err)
	}
	if got, err := s.Swap(t.Context(), nil, start, ttl); err != nil || len(got) != 0 {
		t.Errorf("no changes: %q, %v", got, err)
	}
}

func order(t *testing.T, h Harness) {
	s, _ := h.Open(t)
	swap(t, s, start, "a", "", "1")
	swap(t, s, start, "b", "", "2")
	if got := read(t, s, start, "b", "none", "a", "b"); !bytes.Equal(bytes.Join(got, []byte(",")), []byte("2,,1,2")) {
		t.Errorf("got %q", got)
	}
}

func compare(t *testing.T, h Harness) {
	s, _ := h.Open(t)
	for _, step := range []struct{ old, next, stands string }{
		{"", "one", "one"}, {"", "other", "one"}, {"two", "other", "one"}, {"one", "two", "two"}, {"one", "other", "two"},
	} {
		if got := swap(t, s, start, "a", step.old, step.next); got != step.stands {
			t.Errorf("%q for %q: %q stands, want %q", step.next, step.old, got, step.stands)
		}
		if got := read(t, s, start, "a")[0]; string(got) != step.stands {
			t.Errorf("%q for %q: %q is read, want %q", step.next, step.old, got, step.stands)
		}
	}
}

func apart(t *testing.T, h Harness) {
	s, _ := h.Open(t)
	swap(t, s, start, "b", "", "kept")
	changes := []health.Change{change("a", "", "1"), change("b", "else", "2"), change("c", "", "3")}
	got, err := s.Swap(t.Context(), changes, start, ttl)
	if err != nil || string(bytes.Join(got, []byte(","))) != "1,kept,3" {
		t.Errorf("stands %q, %v", got, err)
	}
}

func repeated(t *testing.T, h Harness) {
	s, _ := h.Open(t)
	for range 2 {
		if got := swap(t, s, start, "a", "", "one"); got != "one" {
			t.Errorf("%q stands", got)
		}
	}
}

func counting(t *testing.T, h Harness) {
	s, _ := h.Open(t)
	const writers, times = 8, 20
	var wg sync.WaitGroup
	for writer := range writers {
		wg.Go(func() {
			for done := 0; done < times; {
				kept, err := s.Read(t.Context(), []string{"n"}, start)
				if err != nil {
					t.Errorf("read: %v", err)
					return
				}
				n := 0
				_, _ = fmt.Sscan(string(kept[0]), &n)
				next := fmt.Appendf(nil, "%d by %d", n+1, writer) // two that write the same cannot tell which of them did
				stands, err := s.Swap(t.Context(), []health.Change{{Target: "n", Old: kept[0], New: next}}, start, ttl)
				if err != nil {
					t.Errorf("swap: %v", err)
					return
				}
				if bytes.Equal(stands[0], next) {
					done++
				}
			}
		})
	}
	wg.Wait()
	if got := read(t, s, start, "n")[0]; !bytes.HasPrefix(got, fmt.Appendf(nil, "%d by ", writers*times)) {
		t.Errorf("%q: want %d", got, writers*times)
	}
}

func anyBytes(t *testing.T, h Harness) {
	s, _ := h.Open(t)
	record := "\x00\xff{\"é\":1}\r\n$0\r\n"
	if got := swap(t, s, start, "a", "", record); got != record {
		t.Errorf("%q stands", got)
	}
	if got := swap(t, s, start, "a", record, "next"); got != "next" {
		t.Errorf("%q stands", got)
	}
}

// later lets what was kept for a minute at the start expire, and returns when that is.
func later(pass func(time.Duration)) time.Time {
	if pass != nil {
		pass(ttl)
	}
	return start.Add(ttl)
}

func recordExpires(t *testing.T, h Harness) {
	s, pass := h.Open(t)
	swap(t, s, start, "a", "", "one")
	if _, err := s.Swap(t.Context(), []health.Change{change("b", "", "one")}, start, 10*ttl); err != nil {
		t.Fatal(err)
	}
	now := later(pass)
	if got := read(t, s, now, "a", "b"); got[0] != nil || string(got[1]) != "one" {
		t.Errorf("got %q", got)
	}
	if got := swap(t, s, now, "a", "", "new"); got != "new" {
		t.Errorf("%q stands", got)
	}
}

func take(t *testing.T, s health.Store, target, holder string, now time.Time, ttl time.Duration) bool {
	t.Helper()
	got, err := s.Probe(t.Context(), target, holder, now, ttl)
	if err != nil {
		t.Fatalf("probe: %v", err)
	}
	return got
}

func oneHolder(t *testing.T, h Harness) {
	s, _ := h.Open(t)
	var got atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if ok, err := s.Probe(t.Context(), "a", fmt.Sprint("holder ", i), start, ttl); err != nil {
				t.Errorf("probe: %v", err)
			} else if ok {
				got.Add(1)
			}
		})
	}
	wg.Wait()
	if got.Load() != 1 {
		t.Errorf("%d of 16 hold the slot", got.Load())
	}
}

func givenBack(t *testing.T, h Harness) {
	s, _ := h.Open(t)
	take(t, s, "a", "one", start, ttl)
	for _, step := range []struct {
		holder string
		free   bool
	}{{"other", false}, {"one", true}, {"one", true}} {
		if err := s.Release(t.Context(), "a", step.holder); err != nil {
			t.Fatal(err)
		}
		if got := take(t, s, "a", "next", start, ttl); got != step.free {
			t.Errorf("after %s gave back, the slot is taken: %t", step.holder, got)
		}
		if step.free {
			if err := s.Release(t.Context(), "a", "next"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func slotExpires(t *testing.T, h Harness) {
	s, pass := h.Open(t)
	take(t, s, "gone", "one", start, ttl)
	take(t, s, "renewed", "one", start, ttl)
	if !take(t, s, "renewed", "one", start, 10*ttl) {
		t.Error("the holder cannot renew")
	}
	now := later(pass)
	if !take(t, s, "gone", "two", now, ttl) {
		t.Error("the slot of one that is gone is not to be had")
	}
	if take(t, s, "renewed", "two", now, ttl) {
		t.Error("the slot of one that renewed it was taken")
	}
}

func slotsApart(t *testing.T, h Harness) {
	s, _ := h.Open(t)
	swap(t, s, start, "a", "", "record")
	if !take(t, s, "a", "one", start, ttl) || !take(t, s, "b", "two", start, ttl) {
		t.Error("a slot is held that nobody took")
	}
	if got := read(t, s, start, "a", "b"); string(got[0]) != "record" || got[1] != nil {
		t.Errorf("got %q", got)
	}
}

func canceled(t *testing.T, h Harness) {
	s, _ := h.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Read(ctx, []string{"a"}, start); err == nil {
		t.Error("read: no error")
	}
	if _, err := s.Swap(ctx, []health.Change{change("a", "", "x")}, start, ttl); err == nil {
		t.Error("swap: no error")
	}
	if _, err := s.Probe(ctx, "a", "one", start, ttl); err == nil {
		t.Error("probe: no error")
	}
	if err := s.Release(ctx, "a", "one"); err == nil {
		t.Error("release: no error")
	}
}
