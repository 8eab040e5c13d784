// Package limittest is the conformance suite of stores of rates.
package limittest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/internal/limit"
)

// Harness makes stores for the suite.
type Harness struct {
	// Open opens a store in which nothing was used.
	Open func(t *testing.T) Opened
}

// Opened is a store, and its clock.
type Opened struct {
	limit.Store

	Now func() time.Time
	// Advance moves the clock on; nil: it is a real one, which moves by itself.
	Advance func(time.Duration)
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for promise, check := range map[string]func(*testing.T, Opened){
		"the burst goes at once, and not one more":         burst,
		"what was refused costs nothing":                   refusedIsFree,
		"after the time it names one more goes":            nextIsTrue,
		"after a rest the whole burst goes again":          restIsRepaid,
		"keys do not share a rate":                         keysApart,
		"another rate goes on with what was used":          rateChanges,
		"a rate of less than one a second is kept":         slow,
		"a burst of none counts as one":                    noBurst,
		"many at once get the burst together, and no more": manyAtOnce,
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			check(t, h.Open(t))
		})
	}
}

// hourly makes nothing good in the time of a test.
func hourly(burst int) limit.Rate { return limit.Rate{PerSecond: 1.0 / 3600, Burst: burst} }

func take(t *testing.T, s Opened, key string, r limit.Rate) limit.Answer {
	t.Helper()
	a, err := s.Take(t.Context(), key, r, s.Now())
	if err != nil {
		t.Fatal(err)
	}
	if a.Rate != r {
		t.Errorf("the answer is of %v, want of %v", a.Rate, r)
	}
	return a
}

// near reports whether the time is what it would be without the time that the test takes.
func near(got, want time.Duration) bool { return got <= want && got > want-time.Minute }

func burst(t *testing.T, s Opened) {
	r := hourly(3)
	for left := 2; left >= 0; left-- {
		if a := take(t, s, "k", r); !a.Allowed || a.Remaining != left || !near(a.Next, time.Hour) {
			t.Errorf("%d left: %+v", left, a)
		}
	}
	if a := take(t, s, "k", r); a.Allowed || a.Remaining != 0 || !near(a.Next, time.Hour) {
		t.Errorf("one more: %+v", a)
	}
}

func refusedIsFree(t *testing.T, s Opened) {
	r := hourly(1)
	take(t, s, "k", r)
	for range 5 {
		if a := take(t, s, "k", r); a.Allowed || !near(a.Next, time.Hour) {
			t.Errorf("%+v", a)
		}
	}
}

// pass lets the time go by.
func pass(s Opened, d time.Duration) {
	if s.Advance != nil {
		s.Advance(d)
		return
	}
	<-time.After(d)
}

func nextIsTrue(t *testing.T, s Opened) {
	r := limit.Rate{PerSecond: 20, Burst: 2}
	allowed := 0
	var a limit.Answer
	for range 1000 { // a real clock makes some good meanwhile
		if a = take(t, s, "k", r); !a.Allowed {
			break
		}
		allowed++
	}
	if allowed < 2 || a.Allowed || a.Next <= 0 || a.Next > 50*time.Millisecond {
		t.Fatalf("%d went, then %+v", allowed, a)
	}
	pass(s, a.Next+time.Millisecond)
	if a := take(t, s, "k", r); !a.Allowed {
		t.Errorf("after the time: %+v", a)
	}
}

func restIsRepaid(t *testing.T, s Opened) {
	r := limit.Rate{PerSecond: 100, Burst: 5}
	for range 5 {
		take(t, s, "k", r)
	}
	pass(s, 60*time.Millisecond)
	if a := take(t, s, "k", r); !a.Allowed || a.Remaining != 4 {
		t.Errorf("after a rest: %+v", a)
	}
}

func keysApart(t *testing.T, s Opened) {
	for _, key := range []string{"one", "two"} {
		if a := take(t, s, key, hourly(1)); !a.Allowed {
			t.Errorf("%s: %+v", key, a)
		}
	}
}

func rateChanges(t *testing.T, s Opened) {
	take(t, s, "k", hourly(1))
	if a := take(t, s, "k", hourly(1)); a.Allowed {
		t.Fatalf("%+v", a)
	}
	if a := take(t, s, "k", hourly(3)); !a.Allowed || a.Remaining != 1 {
		t.Errorf("with a greater burst: %+v", a)
	}
}

func slow(t *testing.T, s Opened) {
	r := limit.Rate{PerSecond: 10.0 / 86400, Burst: 1}
	take(t, s, "k", r)
	if a := take(t, s, "k", r); a.Allowed || !near(a.Next, 8640*time.Second) {
		t.Errorf("%+v", a)
	}
}

func noBurst(t *testing.T, s Opened) {
	if a := take(t, s, "k", hourly(0)); !a.Allowed || a.Remaining != 0 {
		t.Errorf("%+v", a)
	}
	if a := take(t, s, "k", hourly(0)); a.Allowed {
		t.Errorf("%+v", a)
	}
}

func manyAtOnce(t *testing.T, s Opened) {
	var allowed atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 10 {
				if take(t, s, "k", hourly(37)).Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := allowed.Load(); n != 37 {
		t.Errorf("%d went, want 37", n)
	}
}
