package replay

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"baton.dev/baton/events"
)

// Trace is what was recorded: the requests, and how their attempts went.
type Trace struct {
	Lines    int
	From, To time.Time  // of the first and the last line
	Messages []*Message // whose arrival was recorded, by their arrival
	Headless int        // messages whose arrival was not: their attempts say how the targets did
	Cut      bool       // the last line was cut off, and is left out

	targets  map[string]*history
	decision time.Duration // from an event to the decision about it
	dispatch time.Duration // from a decision to the start of a call that does not wait
	usage    map[string]*events.Usage
}

// Message is one request as it was recorded.
type Message struct {
	ID, Tenant string
	Priority   events.Priority
	Model      string
	Arrived    time.Time
	Expiry     time.Time // zero: the trace does not say
	Same       string    // equal for equal requests; empty: it is not known to be equal to any
	Attempts   []*Attempt
	End        *End // nil: it had not ended when the trace did
}

// Attempt is one attempt as it was recorded.
type Attempt struct {
	Number    int
	Target    string
	Scheduled time.Time // zero: not recorded
	NotBefore time.Time
	Ended     time.Time     // zero: it had not ended when the trace did
	Code      string        // why it failed; empty: it succeeded
	Service   time.Duration // of the call
	known     bool          // Service is
	usage     *events.Usage
}

// End is how a request ended.
type End struct {
	At           time.Time
	Code         string // why it failed; empty: it completed
	Cached       bool
	Usage        *events.Usage
	FinishReason string
}

// called reports whether the attempt ended after a model was called.
func (a *Attempt) called() bool { return !a.Ended.IsZero() && events.Begun(a.Code) }

// ready returns when the attempt could begin; zero if that is not known.
func (a *Attempt) ready() time.Time {
	if a.NotBefore.After(a.Scheduled) {
		return a.NotBefore
	}
	return a.Scheduled
}

// assembly puts lines together.
type assembly struct {
	messages map[string]*Message
	attempts map[string]map[int]*Attempt
	lines    int
	from, to time.Time
	cut      bool
}

func newAssembly() *assembly {
	return &assembly{messages: map[string]*Message{}, attempts: map[string]map[int]*Attempt{}}
}

// add takes a line in. The first of a step counts.
func (a *assembly) add(l Line) {
	a.lines++
	if a.from.IsZero() || l.At.Before(a.from) {
		a.from = l.At
	}
	if l.At.After(a.to) {
		a.to = l.At
	}
	m := a.messages[l.MessageID]
	if m == nil {
		m = &Message{ID: l.MessageID}
		a.messages[l.MessageID] = m
	}
	switch l.Event {
	case requested:
		if m.Arrived.IsZero() {
			m.Tenant, m.Priority, m.Model = l.Tenant, l.Priority, l.Model
			m.Arrived, m.Expiry, m.Same = l.At, l.Expiry, l.Same
		}
	case scheduled:
		if at := a.attempt(l); at.Scheduled.IsZero() {
			at.Scheduled, at.NotBefore = l.At, l.NotBefore
		}
	case attemptFailed:
		a.attempt(l).end(l)
	case completed, failed:
		if m.End == nil {
			m.End = &End{At: l.At, Code: l.Code, Cached: l.Cached, Usage: l.Usage, FinishReason: l.FinishReason}
		}
		if l.Event == completed && !l.Cached {
			a.attempt(l).end(l)
		}
	}
}

// attempt returns the attempt that the line is about.
func (a *assembly) attempt(l Line) *Attempt {
	all := a.attempts[l.MessageID]
	if all == nil {
		all = map[int]*Attempt{}
		a.attempts[l.MessageID] = all
	}
	at := all[l.Attempt]
	if at == nil {
		at = &Attempt{Number: l.Attempt, Target: l.Target}
		all[l.Attempt] = at
	}
	return at
}

// end notes how the attempt ended.
func (a *Attempt) end(l Line) {
	if !a.Ended.IsZero() {
		return
	}
	a.Ended, a.Code, a.Target, a.usage = l.At, l.Code, l.Target, l.Usage
	if l.InferenceMS != nil {
		a.Service, a.known = milliseconds(*l.InferenceMS), true
	}
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// trace returns what the lines came to.
func (a *assembly) trace() *Trace {
	t := &Trace{Lines: a.lines, From: a.from, To: a.to, Cut: a.cut}
	all := slices.SortedFunc(maps.Values(a.messages), func(x, y *Message) int {
		return cmp.Or(x.Arrived.Compare(y.Arrived), cmp.Compare(x.ID, y.ID))
	})
	for _, m := range all {
		m.Attempts = slices.SortedFunc(maps.Values(a.attempts[m.ID]), func(x, y *Attempt) int {
			return cmp.Compare(x.Number, y.Number)
		})
		if m.Arrived.IsZero() {
			t.Headless++
			continue
		}
		t.Messages = append(t.Messages, m)
	}
	t.estimate(all)
	return t
}
