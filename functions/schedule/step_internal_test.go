package schedule

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// sample returns a measurement of a target with 100 attempts and weight 10.
func sample(name string, latency time.Duration, failures, price float64) measurement {
	return measurement{target: name, weight: 10, attempts: 100, failures: failures, latency: latency, price: price}
}

func TestWhereAFactorSettles(t *testing.T) {
	t.Parallel()
	few := sample("a", time.Second, 0, 0)
	few.attempts = 19
	for name, tc := range map[string]struct {
		measured []measurement
		want     []float64
		why      string // of the first target's first change
	}{
		"targets that do alike keep their weights": {
			[]measurement{sample("a", time.Second, 1, 5), sample("b", 1020*time.Millisecond, 1, 5)}, []float64{1, 1}, "",
		},
		"by latency": {
			[]measurement{sample("a", 400*time.Millisecond, 0, 0), sample("b", 1600*time.Millisecond, 0, 0)},
			[]float64{2, 0.5},
			"answers in 400ms, the mean is 800ms",
		},
		"by the rate of errors, twice": {
			[]measurement{sample("a", time.Second, 50, 0), sample("b", time.Second, 0, 0)},
			[]float64{0.5, 2},
			"50.0% of its attempts fail, the mean is 29.3%",
		},
		"by the price": {
			[]measurement{sample("a", time.Second, 0, 40), sample("b", time.Second, 0, 10)},
			[]float64{0.5, 2},
			"its tokens cost 2.00 times the mean",
		},
		"by all of them together": {
			[]measurement{sample("a", 2*time.Second, 10, 2), sample("b", time.Second, 10, 1), sample("c", time.Second, 10, 1)},
			[]float64{math.Pow(2, -4.0/3), math.Pow(2, 2.0/3), math.Pow(2, 2.0/3)},
			"answers in 2s, the mean is 1.26s; its tokens cost 1.59 times the mean",
		},
		"a price that not all have does not count": {
			[]measurement{sample("a", time.Second, 0, 40), sample("b", time.Second, 0, 10), sample("c", time.Second, 0, 0)},
			[]float64{1, 1, 1},
			"",
		},
		"a target that only fails keeps an eighth": {
			[]measurement{sample("a", 0, 100, 0), sample("b", time.Second, 0, 0)},
			[]float64{1.0 / 8, 4},
			"100.0% of its attempts fail",
		},
		"one that is far better gets four times its weight at most": {
			[]measurement{sample("a", time.Millisecond, 0, 0), sample("b", time.Second, 0, 0)}, []float64{4, 1.0 / 8}, "answers in 1ms",
		},
		"one of which too little is known keeps its weight": {
			[]measurement{few, sample("b", time.Second, 0, 0), sample("c", 2*time.Second, 0, 0)}, []float64{1, math.Sqrt2, 1 / math.Sqrt2}, "",
		},
		"one alone keeps its weight": {[]measurement{sample("a", time.Second, 50, 3)}, []float64{1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			factors, why := map[string]float64{}, ""
			for n := range 100 {
				next, changes := step(factors, tc.measured)
				for _, m := range tc.measured {
					if ratio := next[m.target] / factorOf(factors, m.target); ratio < 0.8-1e-9 || ratio > 1.2+1e-9 {
						t.Fatalf("step %d moves %s by the factor %.3f", n, m.target, ratio)
					}
				}
				for _, c := range changes {
					if n == 0 && c.target == "a" {
						why = c.why
					}
				}
				if n > 60 && len(changes) > 0 {
					t.Errorf("step %d still changes %+v", n, changes)
				}
				factors = next
			}
			for i, m := range tc.measured {
				got := factors[m.target]
				t.Logf("%s settles at %.3f, belongs at %.3f", m.target, got, tc.want[i])
				if math.Abs(got/tc.want[i]-1) > still+1e-9 {
					t.Errorf("%s settles at %.3f, want %.3f", m.target, got, tc.want[i])
				}
			}
			if !strings.Contains(why, tc.why) || (why == "") != (tc.why == "") {
				t.Errorf("a changed because %q, want %q", why, tc.why)
			}
		})
	}
}

func TestAChangeIsExplained(t *testing.T) {
	t.Parallel()
	_, changes := step(nil, []measurement{sample("a", 250*time.Millisecond, 0, 0), sample("b", time.Second, 4, 0)})
	var said []string
	for _, c := range changes {
		said = append(said, fmt.Sprintf("%s %.2f -> %.2f: %s", c.target, c.from, c.to, c.why))
	}
	want := "a 10.00 -> 12.00: answers in 250ms, the mean is 500ms\n" +
		"b 10.00 -> 8.32: answers in 1s, the mean is 500ms"
	if got := strings.Join(said, "\n"); got != want {
		t.Errorf("the changes are\n%s, want\n%s", got, want)
	}
}

func TestATargetRecovers(t *testing.T) {
	t.Parallel()
	factors := map[string]float64{"a": leastFactor, "b": mostFactor}
	for n := range 60 {
		// While a has so few requests that nothing can be said of it, it goes back; then it is seen to do well.
		a := sample("a", time.Second, 0, 0)
		a.attempts = 100 * factors["a"]
		factors, _ = step(factors, []measurement{a, sample("b", time.Second, 0, 0)})
		if n == 59 && (math.Abs(factors["a"]-1) > still+1e-9 || math.Abs(factors["b"]-1) > still+1e-9) {
			t.Errorf("after %d steps the factors are %v", n+1, factors)
		}
	}
}

// The latency of a target grows with its share of the requests, and what is measured is a mean that lags. The factors must
// come to rest all the same.
func TestFactorsDoNotSwing(t *testing.T) {
	t.Parallel()
	for name, slope := range map[string]float64{"light load": 0.5, "heavy load": 3, "at the limit": 12} {
		for _, lag := range []float64{0.5, 0.15} { // the part of a mean that one step's calls make up
			t.Run(fmt.Sprintf("%s, lag %.2f", name, lag), func(t *testing.T) {
				t.Parallel()
				base := map[string]float64{"a": 0.3, "b": 0.5, "c": 1.2}
				seen := map[string]float64{}
				factors := map[string]float64{}
				low, high := map[string]float64{}, map[string]float64{}
				for n := range 300 {
					sum := 0.0
					for target := range base {
						sum += factorOf(factors, target)
					}
					var measured []measurement
					for _, target := range []string{"a", "b", "c"} {
						share := factorOf(factors, target) / sum
						latency := base[target] * (1 + slope*share)
						if n == 0 {
							seen[target] = latency
						}
						seen[target] += lag * (latency - seen[target])
						measured = append(measured, sample(target, time.Duration(seen[target]*float64(time.Second)), 0, 0))
					}
					factors, _ = step(factors, measured)
					if n < 200 {
						continue
					}
					for target, f := range factors {
						if n == 200 {
							low[target], high[target] = f, f
						}
						low[target], high[target] = min(low[target], f), max(high[target], f)
					}
				}
				t.Logf("factors %.3v", factors)
				for target := range base {
					if high[target]/low[target] > 1+still {
						t.Errorf("%s swings between %.3f and %.3f", target, low[target], high[target])
					}
				}
				if factors["a"] <= factors["b"] || factors["b"] <= factors["c"] {
					t.Errorf("the factors are %v: the faster a target, the more it gets", factors)
				}
			})
		}
	}
}
