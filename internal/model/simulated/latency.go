package simulated

import (
	"math"
	"math/rand/v2"
	"time"
)

// latency is a log-normal distribution of the time to answer, the shape that response times of servers mostly have: no
// answer comes in less than nothing, and a few take very long.
type latency struct{ mu, sigma float64 } // of the logarithm of nanoseconds

// z99 is the 99th percentile of the standard normal distribution.
const z99 = 2.3263478740408408

// fit returns the distribution with the given median and 99th percentile. The quantile of a log-normal distribution at p is
// exp(mu + sigma*z(p)), z being the standard normal's (NIST/SEMATECH e-Handbook, 1.3.6.6.9); with z(0.5) = 0,
//
//	mu    = ln(p50)
//	sigma = ln(p99/p50) / z(0.99)
//
// A p50 of zero is no latency at all; a p99 at or below p50 makes every answer take p50.
func fit(p50, p99 time.Duration) latency {
	if p50 <= 0 {
		return latency{mu: math.Inf(-1)}
	}
	l := latency{mu: math.Log(float64(p50))}
	if p99 > p50 {
		l.sigma = math.Log(float64(p99)/float64(p50)) / z99
	}
	return l
}

// of returns the latency at z standard deviations from the median, at most an hour.
func (l latency) of(z float64) time.Duration {
	return time.Duration(min(math.Exp(l.mu+l.sigma*z), float64(time.Hour)))
}

// draw is a source of numbers that depend on its two seeds only. A value of its own for each request, instead of one
// generator for all, needs no lock and gives request n the same numbers whatever ran beside it.
type draw struct{ pcg rand.PCG }

func newDraw(seed, n uint64) draw {
	var d draw
	d.pcg.Seed(seed, n)
	d.pcg.Uint64() // neighbours among the seeds are far apart after one step
	return d
}

// uniform returns a number in [0, 1).
func (d *draw) uniform() float64 { return float64(d.pcg.Uint64()>>11) / (1 << 53) }

// normal returns a number from the standard normal distribution (Box and Muller 1958).
func (d *draw) normal() float64 {
	u, v := 1-d.uniform(), d.uniform() // u in (0, 1]: its logarithm is finite
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
}

// index returns a number in [0, n), n being small.
func (d *draw) index(n int) int { return int(d.uniform() * float64(n)) }
