package simulated

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestFit(t *testing.T) {
	t.Parallel()
	const p50, p99, n = 120 * time.Millisecond, 400 * time.Millisecond, 100_000

	t.Run("has the median and the 99th percentile that it was told", func(t *testing.T) {
		t.Parallel()
		l := fit(p50, p99)
		for z, want := range map[float64]time.Duration{0: p50, z99: p99} {
			if got := l.of(z); (got - want).Abs() > time.Microsecond {
				t.Errorf("at %v got %v, want %v", z, got, want)
			}
		}
	})
	t.Run("is drawn with that median and 99th percentile", func(t *testing.T) {
		t.Parallel()
		l := fit(p50, p99)
		all := make([]time.Duration, n)
		for i := range all {
			d := newDraw(1, uint64(i))
			d.uniform()
			all[i] = l.of(d.normal())
		}
		slices.Sort(all)
		for got, want := range map[time.Duration]time.Duration{all[n/2]: p50, all[n*99/100]: p99} {
			if off := math.Abs(float64(got)/float64(want) - 1); off > 0.02 {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	})
	t.Run("without a p50 there is no latency", func(t *testing.T) {
		t.Parallel()
		if got := fit(0, time.Second).of(3); got != 0 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("with a p99 that is no more than p50 every answer takes p50", func(t *testing.T) {
		t.Parallel()
		if got := fit(p50, 0).of(3); (got - p50).Abs() > time.Microsecond {
			t.Errorf("got %v", got)
		}
	})
	t.Run("the farthest tail is bounded", func(t *testing.T) {
		t.Parallel()
		if got := fit(time.Second, time.Hour).of(1000); got != time.Hour {
			t.Errorf("got %v", got)
		}
	})
}

func TestDraw(t *testing.T) {
	t.Parallel()
	const n, buckets = 100_000, 100
	var count [buckets]int
	for i := range n {
		d := newDraw(1, uint64(i)) // one number of each of many neighbouring seeds, as the server draws
		count[d.index(buckets)]++
	}
	for i, c := range count {
		// The standard deviation of a bucket is about 31; decided by the seed, this passes always or never.
		if c < n/buckets-160 || c > n/buckets+160 {
			t.Errorf("bucket %d has %d of %d", i, c, n)
		}
	}
}
