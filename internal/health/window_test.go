package health

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"baton.dev/baton/events"
)

// The window is compared with a list of everything.
func TestTheWindowHoldsTheLastMinute(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		type attempt struct {
			slot   int64
			failed bool
		}
		var w window
		var all []attempt
		now, newest := start, int64(0)
		for range 300 {
			now = now.Add(time.Duration(r.Int64N(int64([]time.Duration{time.Second, 20 * time.Second, 3 * time.Minute}[r.IntN(3)]))))
			at := now.Add(-time.Duration(r.Int64N(int64(90 * time.Second)))) // outcomes come in any order
			a := attempt{slotOf(at), r.IntN(2) == 0}
			w.add(at, a.failed)
			if a.slot > newest-buckets {
				all = append(all, a)
			}
			newest = max(newest, a.slot)
			var want counted
			for _, a := range all {
				if a.slot > slotOf(now)-buckets {
					want.Attempts++
					if a.failed {
						want.Failures++
					}
				}
			}
			if got := w.at(now); got != want {
				t.Fatalf("seed %d, %v: %+v, want %+v", seed, now.Sub(start), got, want)
			}
		}
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	// stream feeds attempts at a rate, for a time.
	stream := func(f *figures, from time.Time, rate float64, d time.Duration, o Outcome) time.Time {
		step := time.Duration(float64(time.Second) / rate)
		end := from.Add(d)
		for o.At = from; o.At.Before(end); o.At = o.At.Add(step) {
			f.add(o)
		}
		return end
	}
	near := func(t *testing.T, what string, got, want, within float64) {
		t.Helper()
		if math.Abs(got-want) > within*want {
			t.Errorf("%s: %v, want about %v", what, got, want)
		}
	}
	t.Run("know a steady rate soon and for long", func(t *testing.T) {
		t.Parallel()
		var f figures
		now := start
		for _, d := range []time.Duration{2 * time.Second, 10 * time.Second, 5 * time.Minute} {
			now = stream(&f, now, 50, d, Outcome{})
			near(t, d.String(), f.rate(now), 50, 0.05)
		}
	})
	t.Run("follow a rate that changes, and forget one that ended", func(t *testing.T) {
		t.Parallel()
		var f figures
		now := stream(&f, start, 100, 5*time.Minute, Outcome{})
		now = stream(&f, now, 10, 3*time.Minute, Outcome{})
		near(t, "a tenth", f.rate(now), 10, 0.05)
		if got := f.rate(now.Add(5 * time.Minute)); got > 0.01 {
			t.Errorf("long after the last: %v", got)
		}
		now = stream(&f, now.Add(time.Hour), 20, 3*time.Second, Outcome{})
		near(t, "after an hour", f.rate(now), 20, 0.05)
	})
	t.Run("do not take one attempt for thousands a second", func(t *testing.T) {
		t.Parallel()
		var f figures
		f.add(Outcome{At: start})
		if got := f.rate(start.Add(time.Millisecond)); got > 1.1 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("have the mean latency of successes, the recent ones more", func(t *testing.T) {
		t.Parallel()
		var f figures
		if got := f.latency(); got != 0 {
			t.Errorf("of none: %v", got)
		}
		now := stream(&f, start, 10, time.Minute, Outcome{Latency: 100 * time.Millisecond})
		now = stream(&f, now, 10, time.Minute, Outcome{Latency: time.Hour, Code: events.CodeTimeout})
		near(t, "steady", f.latency().Seconds(), 0.1, 0.001)
		now = stream(&f, now, 10, 2*time.Minute, Outcome{Latency: 300 * time.Millisecond})
		near(t, "slower", f.latency().Seconds(), 0.3, 0.02)
		stream(&f, now.Add(24*time.Hour), 1, time.Second, Outcome{Latency: time.Second})
		near(t, "the next day", f.latency().Seconds(), 1, 0.001)
	})
}
