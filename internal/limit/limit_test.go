package limit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/limit/limittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a clock that stands until it is moved.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time          { return start.Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

func TestConformance(t *testing.T) {
	limittest.Run(t, limittest.Harness{Open: func(*testing.T) limittest.Opened {
		c := &clock{}
		return limittest.Opened{Store: limit.NewMemory(), Now: c.now, Advance: c.advance}
	}})
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate          limit.Rate
		rest          time.Duration
		allowed       bool
		policy, field string
		retryAfter    string
	}{
		{limit.Rate{PerSecond: 500, Burst: 1000}, 2 * time.Millisecond, true, `"default";q=1000;w=2`, `"default";r=999;t=1`, "1"},
		{limit.Rate{PerSecond: 500, Burst: 1000}, 2 * time.Second, false, `"default";q=1000;w=2`, `"default";r=0;t=1`, "1"},
		{limit.Rate{PerSecond: 500, Burst: 250}, time.Millisecond, true, `"default";q=250;w=1`, `"default";r=249;t=1`, "1"},
		{limit.Rate{PerSecond: 3, Burst: 3}, time.Second, true, `"default";q=3;w=1`, `"default";r=0;t=1`, "1"},
		{limit.Rate{PerSecond: 0.5, Burst: 1}, 2 * time.Second, true, `"default";q=1;w=2`, `"default";r=0;t=2`, "2"},
		{limit.Rate{PerSecond: 0.5, Burst: 1}, 500 * time.Millisecond, false, `"default";q=1;w=2`, `"default";r=0;t=1`, "1"},
		{limit.Rate{PerSecond: 10.0 / 3600, Burst: 1}, 360 * time.Second, false, `"default";q=1;w=360`, `"default";r=0;t=360`, "360"},
		{limit.Rate{PerSecond: 1e-9, Burst: 1e9}, 0, true, `"default";q=1000000000;w=999999999999999`, `"default";r=1000000000;t=1000000000`, "1000000000"},
		{limit.Rate{PerSecond: 1e12, Burst: 1e9}, 0, true, `"default";q=1000000000;w=1000`, `"default";r=1000000000;t=1`, "1"},
	} {
		a := c.rate.Answer(c.allowed, c.rest)
		if got := c.rate.Policy(); got != c.policy {
			t.Errorf("%v: policy %s, want %s", c.rate, got, c.policy)
		}
		if got := a.Field(); got != c.field {
			t.Errorf("%v after %s: %s, want %s", c.rate, c.rest, got, c.field)
		}
		if got := a.RetryAfter(); got != c.retryAfter {
			t.Errorf("%v after %s: Retry-After %s, want %s", c.rate, c.rest, got, c.retryAfter)
		}
	}
}

func TestNoTimeHasMoreThanTheBurstAndTheRate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := limit.Rate{
			PerSecond: rapid.Float64Range(0.01, 5000).Draw(t, "rate"), Burst: rapid.IntRange(0, 50).Draw(t, "burst"),
		}
		m, now := limit.NewMemory(), start
		allowed := 0
		for range rapid.IntRange(1, 300).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*r.Interval())).Draw(t, "pause")))
			a, err := m.Take(t.Context(), "k", r, now)
			if err != nil {
				t.Fatal(err)
			}
			if a.Allowed {
				allowed++
			}
			if most := float64(r.Quota()) + now.Sub(start).Seconds()*r.PerSecond + 0.01; float64(allowed) > most {
				t.Fatalf("%d went in %s at %v", allowed, now.Sub(start), r)
			}
			if a.Remaining < 0 || a.Remaining > r.Quota()-1 || a.Next < 0 || a.Next > r.Interval()+r.Interval()/5000+time.Microsecond {
				t.Fatalf("%+v", a)
			}
			if !a.Allowed {
				now = now.Add(a.Next + time.Microsecond)
				if again, _ := m.Take(t.Context(), "k", r, now); !again.Allowed {
					t.Fatalf("%+v, and after that %+v", a, again)
				}
				allowed++
			}
		}
	})
}

// failing is a store that is away while it is told to be.
type failing struct {
	limit.Store

	away  atomic.Bool
	asked atomic.Int32
}

func (f *failing) Take(ctx context.Context, key string, r limit.Rate, now time.Time) (limit.Answer, error) {
	f.asked.Add(1)
	if f.away.Load() {
		return limit.Answer{}, errors.New("away")
	}
	return f.Store.Take(ctx, key, r, now)
}

func TestWhileTheStoreIsAwayEachProcessHoldsTheRate(t *testing.T) {
	t.Parallel()
	c, shared := &clock{}, limit.NewMemory()
	var log bytes.Buffer
	store := &failing{Store: shared}
	one := limit.New(limit.Config{Store: store, Now: c.now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	two := limit.New(limit.Config{Store: store, Now: c.now})
	tenant := &catalog.Tenant{Name: "t", Rate: 1, Burst: 4}
	went := func(l *limit.Limiter) (n int) {
		for range 10 {
			if a, counted := l.Take(t.Context(), tenant); !counted {
				t.Fatal("the tenant is not counted")
			} else if a.Allowed {
				n++
			}
		}
		return n
	}
	if n := went(one) + went(two); n != 4 {
		t.Errorf("together %d went, want 4", n)
	}
	store.away.Store(true)
	if n := went(one); n != 0 {
		t.Errorf("%d more went where the burst was used", n)
	}
	if n := went(two); n != 4 {
		t.Errorf("%d went at the other, which let none through before, want 4", n)
	}
	c.advance(2 * time.Second)
	if n := went(one); n != 2 {
		t.Errorf("%d went in two seconds, want 2", n)
	}
	store.away.Store(false)
	if n := went(one); n != 2 {
		t.Errorf("%d went after its return, want the 2 that it has made good", n)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("logged %d lines, want one that it went and one that it came:\n%s", n, log.String())
	}
}

func TestATenantWithoutARateIsNotCounted(t *testing.T) {
	t.Parallel()
	store := &failing{}
	l := limit.New(limit.Config{Store: store})
	if a, counted := l.Take(t.Context(), &catalog.Tenant{Name: "t"}); counted || !a.Allowed || store.asked.Load() != 0 {
		t.Errorf("%+v, %v, asked %d times", a, counted, store.asked.Load())
	}
}

func Example() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	limiter := limit.New(limit.Config{Now: func() time.Time { return now }})
	tenant := &catalog.Tenant{Name: "search", Rate: 0.1, Burst: 2}
	for range 3 {
		answer, _ := limiter.Take(context.Background(), tenant)
		fmt.Println(answer.Allowed, answer.Rate.Policy(), answer.Field())
	}
	// Output:
	// true "default";q=2;w=20 "default";r=1;t=10
	// true "default";q=2;w=20 "default";r=0;t=10
	// false "default";q=2;w=20 "default";r=0;t=10
}
