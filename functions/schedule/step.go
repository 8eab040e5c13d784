package schedule

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The bounds of the factors by which adaptive multiplies weights, and of how they move.
const (
	leastFactor = 1.0 / 8 // never 0: a target without requests could not show that it is well again
	mostFactor  = 4.0
	// mostChange of a factor in one step.
	mostChange = 0.20
	// gain is the part of the way, on a scale of ratios, that one step goes. What is measured is a mean of the last minute or
	// so and lags by some steps: going all the way at once would overshoot, and swing.
	gain = 0.25
	// still is how near a factor must be to where it belongs to be left there: less is noise.
	still = 0.05
	// leastAttempts is how many attempts must be known of a target to judge it.
	leastAttempts = 20
	// leastSuccess bounds how bad a target counts as: one that never answers is as bad as one that does once in twenty times.
	leastSuccess = 0.05
)

// measurement is what is known of one target of a model.
type measurement struct {
	target   string
	weight   int // as configured
	attempts float64
	failures float64
	latency  time.Duration // 0: unknown
	price    float64       // of a token, in any unit; 0: unknown
}

func (m measurement) success() float64 {
	return max(1-m.failures/m.attempts, leastSuccess)
}

// change is a target's effective weight that a step moved, and why in words.
type change struct {
	target   string
	from, to float64
	why      string
}

// step returns the factors that follow the previous ones, by target, and what changed. A target without a factor has 1.
//
// Where a target's factor belongs is how much better than the model's mean target it is: the ratio of the means' latency and
// price to its own, and the square of the ratio of its success rate to theirs, since a failure costs another attempt as
// well. Means are geometric, so that twice as good and half as good are as far from the middle. A price
// counts only where all targets that are judged have one: one without may be free, or not filled in.
//
// A target of which too little is known to judge it goes back towards 1: one that was set low and so gets few requests is
// tried again.
func step(previous map[string]float64, measured []measurement) (next map[string]float64, changes []change) {
	means := meansOf(measured)
	next = make(map[string]float64, len(measured))
	for _, m := range measured {
		from := factorOf(previous, m.target)
		belongs, why := 1.0, "too few attempts of late to judge it by: back towards its configured weight"
		if m.attempts >= leastAttempts {
			belongs, why = means.judge(m)
		}
		to := towards(from, belongs)
		next[m.target] = to
		if to != from {
			changes = append(changes, change{m.target, from * float64(m.weight), to * float64(m.weight), why})
		}
	}
	return next, changes
}

// towards moves a factor one step to where it belongs.
func towards(from, belongs float64) float64 {
	belongs = min(max(belongs, leastFactor), mostFactor)
	if math.Abs(belongs/from-1) < still {
		return from
	}
	to := from * math.Pow(belongs/from, gain)
	return min(max(to, from*(1-mostChange)), from*(1+mostChange))
}

func factorOf(factors map[string]float64, target string) float64 {
	if f, ok := factors[target]; ok {
		return f
	}
	return 1
}

// means of what is known of a model's targets; 0: too little is.
type means struct{ success, latency, price float64 }

func meansOf(measured []measurement) means {
	return means{
		success: mean(measured, measurement.success, false),
		latency: mean(measured, func(m measurement) float64 { return m.latency.Seconds() }, false),
		price:   mean(measured, func(m measurement) float64 { return m.price }, true),
	}
}

// mean returns the geometric mean of a quantity over the targets that can be judged and of which it is known; 0 if these are
// fewer than two, or if it must be known of all and is not.
func mean(measured []measurement, of func(measurement) float64, all bool) float64 {
	sum, n := 0.0, 0.0
	for _, m := range measured {
		if m.attempts < leastAttempts {
			continue
		}
		switch v := of(m); {
		case v > 0:
			sum += math.Log(v)
			n++
		case all:
			return 0
		}
	}
	if n < 2 {
		return 0
	}
	return math.Exp(sum / n)
}

// judge returns where the target's factor belongs, and why in words.
func (a means) judge(m measurement) (belongs float64, why string) {
	belongs = 1
	var words []string
	if a.latency > 0 && m.latency > 0 {
		ratio := a.latency / m.latency.Seconds()
		belongs *= ratio
		if apart(ratio) {
			usual := time.Duration(a.latency * float64(time.Second))
			words = append(words, fmt.Sprintf("answers in %s, the mean is %s", rounded(m.latency), rounded(usual)))
		}
	}
	if a.success > 0 {
		ratio := m.success() / a.success
		belongs *= ratio * ratio
		if apart(ratio * ratio) {
			words = append(words, fmt.Sprintf("%.1f%% of its attempts fail, the mean is %.1f%%",
				100*m.failures/m.attempts, 100*(1-a.success)))
		}
	}
	if a.price > 0 {
		ratio := a.price / m.price
		belongs *= ratio
		if apart(ratio) {
			words = append(words, fmt.Sprintf("its tokens cost %.2f times the mean", 1/ratio))
		}
	}
	if len(words) == 0 {
		return belongs, "does about as well as the model's other targets"
	}
	return belongs, strings.Join(words, "; ")
}

// apart reports whether a ratio is worth a word.
func apart(ratio float64) bool { return math.Abs(ratio-1) >= still }

// rounded returns the duration as a person reads it.
func rounded(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
