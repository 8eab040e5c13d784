package health

import (
	"fmt"
	"math"
	"time"
)

// When a canary is judged to do worse than its model's other targets.
const (
	// trialAttempts is the least number of its attempts: what opens its breaker, after which only probes come.
	trialAttempts = tripInARow
	worseErrors   = 0.05 // by how much its error rate is higher
	trialOdds     = 100  // how much likelier its failures are by some higher error rate than by that of the others: 99 %
	leastErrors   = 0.02 // an error rate that no canary is rolled back for

	trialSuccesses = 20  // of its own, before its latency is compared
	worseLatency   = 2.0 // times the mean of the others
	worseSeconds   = 0.05
	latencyErrors  = 1.0 // standard errors by which it is over that: it is looked at after every attempt

	// trialMemory bounds its attempts: at so many, all that was seen counts half. So a canary that was good for long is
	// still out soon after it went bad.
	trialMemory = 256
)

// trial is how a canary does beside its model's other targets, from when its configuration is what it is. Both are counted
// over the same time, so that what befalls all of them is held against none.
type trial struct {
	Fingerprint string    `json:"fingerprint"` // of the configuration
	Seen        time.Time `json:"seen"`        // when the trial was on last
	Canary      tally     `json:"canary"`
	Stable      tally     `json:"stable"`
	Streak      streak    `json:"streak,omitzero"`
	Out         string    `json:"out,omitempty"` // why the canary is out; "": it is in
}

// tally counts attempts, and the latency of those that succeeded in seconds.
type tally struct {
	Attempts float64 `json:"attempts,omitempty"`
	Failures float64 `json:"failures,omitempty"`
	Took     float64 `json:"took,omitempty"`
	Squares  float64 `json:"squares,omitempty"` // sum of squares
}

// of counts an outcome that says something about its target.
func (t *tally) of(o Outcome) {
	t.Attempts++
	if o.Code != "" {
		t.Failures++
		return
	}
	took := max(o.Latency, 0).Seconds()
	t.Took += took
	t.Squares += took * took
}

func (t *tally) add(more tally) {
	t.Attempts += more.Attempts
	t.Failures += more.Failures
	t.Took += more.Took
	t.Squares += more.Squares
}

func (t *tally) halve() {
	t.Attempts /= 2
	t.Failures /= 2
	t.Took /= 2
	t.Squares /= 2
}

func (t tally) good() float64 { return t.Attempts - t.Failures }

// errors returns the error rate; that of no attempts is 0.
func (t tally) errors() float64 { return t.Failures / max(t.Attempts, 1) }

// mean returns the mean latency in seconds, and the square of its standard error. There must be two successes.
func (t tally) mean() (mean, variance float64) {
	n := t.good()
	mean = t.Took / n
	return mean, max(t.Squares/n-mean*mean, 0) / (n - 1)
}

// judge returns why the canary is out, and "" while it may stay.
func (t *trial) judge() string {
	if why := t.judgeErrors(); why != "" {
		return why
	}
	if why := t.judgeStreak(); why != "" {
		return why
	}
	return t.judgeLatency()
}

// judgeErrors compares the error rates.
//
// It is asked after every attempt, and a test that is right 99 times in 100 is wrong far more often when it is asked a
// hundred times: one of two proportions by the normal distribution rolls back more than one good canary in ten over 1,000
// requests. So this one is sequential: it weighs the failures by every error rate alike, against the rate of the others.
// While the canary is no worse the odds reach 100 at any time with a probability of 1 in 100 at most (J. Ville, 1939; H.
// Robbins, Statistical methods related to the law of the iterated logarithm, 1970).
func (t *trial) judgeErrors() string {
	n, k := t.Canary.Attempts, t.Canary.Failures
	if n < trialAttempts || k/n < t.Stable.errors()+worseErrors {
		return ""
	}
	p := max(t.Stable.highest(), leastErrors)
	if p >= 1 {
		return ""
	}
	// The integral of q^k (1-q)^(n-k) over q is Beta(k+1, n-k+1).
	if logBeta(k+1, n-k+1)-k*math.Log(p)-(n-k)*math.Log1p(-p) < math.Log(trialOdds) {
		return ""
	}
	return fmt.Sprintf("%.0f of its last %.0f attempts failed (%.1f %%), %.1f %% of %.0f at the model's other targets",
		k, n, 100*k/n, 100*t.Stable.errors(), t.Stable.Attempts)
}

// highest returns the upper end of the interval that holds the error rate in 95 of 100 cases and is open below (E. B.
// Wilson, 1927): how bad the others may be, as far as is known of them. Of no attempts that is 1.
func (t tally) highest() float64 {
	const z = 1.645
	if t.Attempts == 0 {
		return 1
	}
	n, p := t.Attempts, t.errors()
	return (p + z*z/(2*n) + z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))) / (1 + z*z/n)
}

// judgeLatency compares the means of the latencies.
func (t *trial) judgeLatency() string {
	if t.Canary.good() < trialSuccesses || t.Stable.good() < trialSuccesses {
		return ""
	}
	mean, variance := t.Canary.mean()
	others, othersVariance := t.Stable.mean()
	over := latencyErrors * math.Sqrt(variance+worseLatency*worseLatency*othersVariance)
	if mean <= worseLatency*others+over || mean <= others+worseSeconds {
		return ""
	}
	return fmt.Sprintf("its last %.0f successes took %.0f ms in the mean, those of the model's other targets %.0f ms",
		t.Canary.good(), 1000*mean, 1000*others)
}

func logBeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}
