// Package health is what is known of the targets: how their calls went, and whether a target is to be left alone.
//
// The outcomes of attempts feed a breaker for each target, which is closed, open or half-open. What one process sees the
// others learn through a [Store]; where that is away, each goes on with what it sees itself. Whether a breaker opens is a
// pure function of what was seen and the time.
//
// A canary is compared with its model's other targets over the same time, and is rolled back when it does worse by one of
// three measures:
//
//   - its error rate, over its last attempts, up to 256 of them;
//   - its failures in a row, whatever its history: the five that open the breaker of any target, if the others' attempts
//     between them went well (at most about one in ten fails, by 25 of them or more). With less to tell by, it takes more
//     failures: in general a sixth, which is the first probe, since the breaker's pause has shown how the others do;
//   - its latency, of which the mean is more than twice that of the others.
//
// What befalls all of them rolls none back, and chance alone about one good canary in a hundred at most, over a thousand
// attempts. A rollback lasts until the canary's configuration is another: it is remembered while any process lives that
// knows of it, and for 30 days after the model was called last.
package health

import "time"

// State is that of a target's breaker (M. Nygard, Release It!, 2nd ed., section 5.2).
type State string

// The states.
const (
	Closed   State = "closed"    // calls go through
	Open     State = "open"      // none does, until a time
	HalfOpen State = "half_open" // that time is over: a few probes go through, and say what comes next
)

// Status is what is known of one target. The zero value is a target of which nothing is known: its breaker is closed.
type Status struct {
	State State     // "" is Closed
	Until time.Time // when an open breaker lets the first probe through; zero otherwise

	// Attempts counts those that say something about the target, by all processes, in the last minute or so and since the
	// breaker closed last. A refusal of the caller's request says nothing.
	Attempts   float64
	Failures   float64       // those of them that failed through the target's doing
	Latency    time.Duration // mean of the successful ones, the recent ones more; 0: none is known
	Rate       float64       // attempts that ended a second, of late
	RolledBack bool          // it is a canary that did worse than its model's other targets, and gets no more requests
}

// Outcome is how one attempt at a target ended.
type Outcome struct {
	Target  string
	Code    string        // the error code of package events; "" is success
	At      time.Time     // when it ended; zero: when it is reported
	Latency time.Duration // of the call, also of one that failed: what began before its breaker last moved does not move it
	RetryAt time.Time     // when the target says that it will take calls again; zero: it did not say
	Probe   bool          // the call was a probe, as [Board.Admit] said
}
