package hop

import (
	"errors"
	"fmt"
	"time"

	"baton.dev/baton/events"
)

// ErrTooLarge is what a transport returns, wrapped, for an event over its limit.
var ErrTooLarge = errors.New("event is over the transport's size limit")

// ErrNoLane is what a transport returns, wrapped, for an event of a lane that nobody has made, where it does not make them
// itself: the event is not stored until somebody does.
var ErrNoLane = errors.New("event is of a lane that the transport does not have")

type rejection struct {
	reason events.Reason
	err    error
}

func (e *rejection) Error() string { return e.err.Error() }
func (e *rejection) Unwrap() error { return e.err }

// Reject says that the event must not be tried again: it becomes a dead letter with the reason.
func Reject(reason events.Reason, err error) error { return &rejection{reason, err} }

type retry struct {
	after time.Duration
	err   error
}

func (e *retry) Error() string { return e.err.Error() }
func (e *retry) Unwrap() error { return e.err }

// RetryAfter says that the event is to be tried again after d, which somebody named. The try counts.
func RetryAfter(err error, d time.Duration) error { return &retry{d, err} }

type unavailable struct{ err error }

func (e *unavailable) Error() string { return e.err.Error() }
func (e *unavailable) Unwrap() error { return e.err }

// Unavailable says that the hop could not try: something that it needs on this side is away, as a results store may be.
// The event is given back for a while that grows, and no try is counted.
func Unavailable(err error) error { return &unavailable{err} }

type replacement struct{ event events.Event }

func (e *replacement) Error() string { return "hop: " + e.event.ID + " goes on with other data" }

// Replace says that the event goes on, at once, as the given one: the same event with other data, which it turned out to
// have. No try is counted.
func Replace(as events.Event) error { return &replacement{as} }

type parking struct {
	until time.Time
	err   error
}

func (e *parking) Error() string { return e.err.Error() }
func (e *parking) Unwrap() error { return e.err }

// Park says that the event cannot go on before the given time, and that this is nobody's failure: it is stored anew to wait
// until then, durably, and no try is counted. Whoever parks bounds how often, by the event's expiry.
func Park(err error, until time.Time) error { return &parking{until, err} }

// panicked is the error of a handler that panicked. The stack is for the log; the message is for the dead letter.
type panicked struct {
	value any
	stack []byte
}

func (e *panicked) Error() string { return fmt.Sprintf("hop: handler panicked: %v", e.value) }

// Kind is what is done with a delivery.
type Kind string

// The kinds of outcome.
const (
	Done   Kind = "done"   // the output is stored, the input is settled
	Retry  Kind = "retry"  // stored anew for another try
	Dead   Kind = "dead"   // stored as a dead letter
	Parked Kind = "park"   // stored anew to wait, as it is
	Return Kind = "return" // given back untouched: it is early, the process drains, or the transport is in trouble
)

// Outcome is what a delivery came to.
type Outcome struct {
	Kind   Kind
	After  time.Duration // of a retry or a return
	Reason events.Reason // of a dead letter
	Err    error         // nil when done
	As     *events.Event // of a retry: what goes on instead of the event; nil: the event, with one more try
	Until  time.Time     // of a parked event
}

// Limits bounds what is done for one event. The zero value means the defaults.
type Limits struct {
	Tries      int     // tries of one event at one hop; default 12, about a quarter of an hour with the default backoff
	Deliveries int     // deliveries of one stored copy that end without an outcome; default 50
	Hops       int     // events since ingest; default 128, far over what the most attempts make
	Backoff    Backoff // between tries that name no delay
}

func (l Limits) withDefaults() Limits {
	if l.Tries == 0 {
		l.Tries = 12
	}
	if l.Deliveries == 0 {
		l.Deliveries = 50
	}
	if l.Hops == 0 {
		l.Hops = 128
	}
	l.Backoff = l.Backoff.withDefaults()
	return l
}

// Classify reads what a handler said about the event. It is the one place that does.
func (l Limits) Classify(in events.Event, err error) Outcome {
	if err == nil {
		return Outcome{Kind: Done}
	}
	l = l.withDefaults()
	if r, ok := errors.AsType[*replacement](err); ok {
		return Outcome{Kind: Retry, Err: err, As: &r.event}
	}
	if p, ok := errors.AsType[*parking](err); ok {
		return Outcome{Kind: Parked, Until: p.until, Err: err}
	}
	if _, ok := errors.AsType[*unavailable](err); ok {
		return Outcome{Kind: Return, Err: err}
	}
	if r, ok := errors.AsType[*rejection](err); ok {
		return Outcome{Kind: Dead, Reason: r.reason, Err: err}
	}
	if in.Tries+1 >= l.Tries {
		reason := events.ReasonExhausted
		if _, ok := errors.AsType[*panicked](err); ok {
			reason = events.ReasonPanic
		}
		return Outcome{Kind: Dead, Reason: reason, Err: err}
	}
	if r, ok := errors.AsType[*retry](err); ok {
		return Outcome{Kind: Retry, After: max(r.after, 0), Err: err}
	}
	return Outcome{Kind: Retry, After: l.Backoff.Delay(in.Tries, in.ID), Err: err}
}

// Admit says whether the hop may handle the delivery at all, at the given time: nil if it may.
func (l Limits) Admit(hop events.Hop, d Delivery, now time.Time) *Outcome {
	dead := func(reason events.Reason, err error) *Outcome {
		return &Outcome{Kind: Dead, Reason: reason, Err: err}
	}
	in, l := d.Event, l.withDefaults()
	switch takes, ok := in.Takes(); {
	case d.Err != nil:
		return dead(events.ReasonUndecodable, d.Err)
	case !ok || takes != hop:
		return dead(events.ReasonUnroutable, fmt.Errorf("hop: %s takes no %q", hop, in.Type))
	case in.Hops > l.Hops:
		return dead(events.ReasonLoop, fmt.Errorf("hop: %d hops since ingest, at most %d are allowed", in.Hops, l.Hops))
	case d.Number > l.Deliveries:
		return dead(events.ReasonCrashLoop, fmt.Errorf("hop: delivered %d times without an outcome", d.Number-1))
	}
	if early := in.NotBefore.Sub(now); !in.NotBefore.IsZero() && early > 0 {
		return &Outcome{Kind: Return, After: early}
	}
	return nil
}
