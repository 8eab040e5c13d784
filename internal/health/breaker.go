package health

import (
	"fmt"
	"time"

	"baton.dev/baton/events"
)

// When a breaker moves.
const (
	tripInARow   = 5  // failures, one after the other
	tripAttempts = 20 // the least attempts in the window of which half must have failed

	firstPause   = 5 * time.Second
	longestPause = time.Minute
	pauseJitter  = 0.2 // of the pause, at most, by which it is shorter: targets that fell together are not tried together

	probesToClose = 2 // good ones, in a row
)

// breaker is the state of a target's breaker, of which half-open is no more than an open one whose time has come. The zero
// value is closed.
type breaker struct {
	Opened bool      `json:"opened,omitempty"`
	Since  time.Time `json:"since,omitzero"`   // of the last move: opened, opened again or closed
	Until  time.Time `json:"until,omitzero"`   // of one that is open
	Reason string    `json:"reason,omitempty"` // why it is open
	Failed int       `json:"failed,omitempty"` // probes that failed since it opened
	Passed int       `json:"passed,omitempty"` // good probes in a row
	Streak int       `json:"streak,omitempty"` // failures in a row, of one that is closed
	Window window    `json:"window"`           // since it closed
}

// state returns the state at the time.
func (b *breaker) state(now time.Time) State {
	switch {
	case !b.Opened:
		return Closed
	case now.Before(b.Until):
		return Open
	default:
		return HalfOpen
	}
}

// take moves the breaker by the outcome of an attempt, which has its time. It returns what changed, if anything did. jitter
// returns a number in [0, 1) that depends on its arguments alone.
//
// Calls that began before the breaker moved last say nothing about what it is to do next. While it is open only probes move
// it, except that the target itself may ask for more time.
func (b *breaker) take(o Outcome, jitter func(target string, n int) float64) (change, bool) {
	v := verdictOf(o.Code)
	if v == silent {
		return change{}, false
	}
	current := !o.At.Add(-max(o.Latency, 0)).Before(b.Since)
	until := o.refusedUntil()
	switch {
	case !b.Opened && current:
		b.Window.add(o.At, v == ill)
		if v == well {
			b.Streak = 0
			return change{}, false
		}
		b.Streak++
		return b.trip(o, until, jitter)
	case !b.Opened:
		if until.IsZero() {
			return change{}, false
		}
		return b.open(o, until, refused(o)), true
	case o.Probe && current && b.state(o.At) == HalfOpen:
		return b.probed(o, v, until, jitter)
	case until.After(b.Until):
		// Not open again: the probes that failed are counted as they were.
		from := b.state(o.At)
		b.Until, b.Reason = until, refused(o)
		return change{from: from, to: Open, at: o.At, until: until, reason: b.Reason}, from != Open
	default:
		return change{}, false
	}
}

// trip opens a closed breaker if the failure was one too many.
func (b *breaker) trip(o Outcome, until time.Time, jitter func(string, int) float64) (change, bool) {
	seen := b.Window.at(o.At)
	switch {
	case !until.IsZero():
		return b.open(o, until, refused(o)), true
	case b.Streak >= tripInARow:
		why := fmt.Sprintf("%d failures in a row, the last %s", b.Streak, o.Code)
		return b.open(o, o.At.Add(pause(o.Target, 0, jitter)), why), true
	case seen.Attempts >= tripAttempts && 2*seen.Failures >= seen.Attempts:
		why := fmt.Sprintf("%d of %d attempts in the last minute failed, the last %s", seen.Failures, seen.Attempts, o.Code)
		return b.open(o, o.At.Add(pause(o.Target, 0, jitter)), why), true
	default:
		return change{}, false
	}
}

// probed moves a half-open breaker by the outcome of its probe.
func (b *breaker) probed(o Outcome, v verdict, until time.Time, jitter func(string, int) float64) (change, bool) {
	if v == well {
		b.Passed++
		if b.Passed < probesToClose {
			return change{}, false
		}
		*b = breaker{Since: o.At}
		return change{from: HalfOpen, to: Closed, at: o.At, reason: fmt.Sprintf("%d probes succeeded", probesToClose)}, true
	}
	b.Failed++
	why := "a probe failed: " + o.Code
	if next := o.At.Add(pause(o.Target, b.Failed, jitter)); next.After(until) {
		until = next
	}
	return b.open(o, until, why), true
}

// open opens the breaker, or opens it again.
func (b *breaker) open(o Outcome, until time.Time, why string) change {
	from := b.state(o.At)
	*b = breaker{Opened: true, Since: o.At, Until: until, Reason: why, Failed: b.Failed}
	return change{from: from, to: Open, at: o.At, until: until, reason: why}
}

func refused(o Outcome) string {
	if o.Code == events.CodeUnavailable {
		return "the target asks to be left alone: " + o.Code
	}
	return "the target takes no more calls: " + o.Code
}

// pause returns how long the breaker of the target stays open after n probes that failed.
func pause(target string, n int, jitter func(string, int) float64) time.Duration {
	d := min(firstPause<<min(n, 8), longestPause)
	return d - time.Duration(float64(d)*pauseJitter*jitter(target, n))
}

// change is one move of a breaker, or a canary that is out.
type change struct {
	from, to State
	at       time.Time
	until    time.Time // of one that is open
	reason   string
	out      *trial // of a canary: how it did
	by       int    // which observation of the batch made it
}
