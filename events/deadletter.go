package events

import "time"

// DeadLetter is why an event left the chain.
type DeadLetter struct {
	Hop    Hop
	Reason Reason
	Detail string
	Time   time.Time
}

// Reason is why an event became a dead letter. The set is closed: the same word stands in logs, metrics, dead letters and
// answers.
type Reason string

// The reasons.
const (
	ReasonUndecodable Reason = "undecodable" // the bytes are no CloudEvent of this chain
	ReasonUnroutable  Reason = "unroutable"  // the event's type is not for the hop that received it
	ReasonLoop        Reason = "loop"        // too many hops since ingest
	ReasonRefused     Reason = "refused"     // the hop refused it for good
	ReasonExhausted   Reason = "exhausted"   // the last allowed try failed
	ReasonPanic       Reason = "panic"       // the last allowed try panicked
	// ReasonCrashLoop: delivered too often without an outcome, since it takes its process down, or the transport was long in
	// trouble.
	ReasonCrashLoop    Reason = "crash_loop"
	ReasonTooLarge     Reason = "too_large"     // an output is over the limit of the transport
	ReasonUndelivered  Reason = "undelivered"   // the callback's last try failed
	ReasonGone         Reason = "gone"          // the receiver answered 410
	ReasonBlocked      Reason = "blocked"       // the callback's address is not allowed
	ReasonMisconfigure Reason = "misconfigured" // the configuration no longer has what the event needs
)
