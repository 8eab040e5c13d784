package events

import "fmt"

// Hop names a function of the chain.
type Hop string

// The functions of the chain, in order.
const (
	Ingest   Hop = "ingest"
	Schedule Hop = "schedule"
	Infer    Hop = "infer"
	Callback Hop = "callback"
)

// Priority is the class of a request: it chooses the lane the request waits in.
type Priority string

// The priorities, most urgent first.
const (
	High   Priority = "high"
	Normal Priority = "normal"
	Low    Priority = "low"
)

// Priorities returns every priority, most urgent first.
func Priorities() []Priority { return []Priority{High, Normal, Low} }

// Lane is one queue of work: the events of one hop and priority, and for infer of one target. While that is crowded, each
// tenant's events wait in a lane of its own beside it, so that none waits behind all of another's.
type Lane struct {
	Hop      Hop
	Priority Priority
	Target   string
	Tenant   string // of a tenant's own lane
}

// String returns the lane as hop/priority, hop/priority/target or hop/priority/target/tenant, for logs.
func (l Lane) String() string {
	s := string(l.Hop) + "/" + string(l.Priority)
	if l.Target != "" {
		s += "/" + l.Target
	}
	if l.Tenant != "" {
		s += "/" + l.Tenant
	}
	return s
}

// Batch is what works a batch of requests off, in steps: each takes an event and emits the next. It is beside the chain.
const Batch Hop = "batch"

// Dead is the lane of dead letters, which belong to no hop until they are redriven.
const Dead Hop = "dead"

// takes is the one table of which hop takes which event.
var takes = map[Type]Hop{
	Requested:     Schedule,
	AttemptFailed: Schedule,
	Scheduled:     Infer,
	Completed:     Callback,
	Failed:        Callback,
	BatchStep:     Batch,
}

// Takes returns the hop that takes events of the type, and whether there is one.
func (t Type) Takes() (Hop, bool) {
	h, ok := takes[t]
	return h, ok
}

// Takes returns the hop that takes the event, and whether there is one: that of its type, or callback for a copy that is to
// be delivered to one receiver of several.
func (e Event) Takes() (Hop, bool) {
	h, ok := e.Type.Takes()
	if ok && e.Subscriber > 0 {
		return Callback, true
	}
	return h, ok
}

// Valid reports whether p is one of the priorities.
func (p Priority) Valid() bool { return p == High || p == Normal || p == Low }

// Lane returns the lane the event waits in, or an error if it belongs in none: it is of no type of the chain, names no
// priority, or is to be inferred and names no target.
func (e Event) Lane() (Lane, error) {
	if e.Dead != nil {
		return Lane{Hop: Dead}, nil
	}
	hop, ok := e.Takes()
	if !ok {
		return Lane{}, fmt.Errorf("events: no hop takes type %q", e.Type)
	}
	if !e.Priority.Valid() {
		return Lane{}, fmt.Errorf("events: %s has priority %q: want high, normal or low", e.ID, e.Priority)
	}
	if hop != Infer {
		return Lane{Hop: hop, Priority: e.Priority}, nil
	}
	if !ValidTarget(e.Target) {
		return Lane{}, fmt.Errorf("events: %s has target %q: want a name of a-z, 0-9, - and _, 64 at most", e.ID, e.Target)
	}
	l := Lane{Hop: hop, Priority: e.Priority, Target: e.Target}
	if e.Apart {
		if e.Tenant == "" {
			return Lane{}, fmt.Errorf("events: %s waits apart and names no tenant", e.ID)
		}
		l.Tenant = e.Tenant
	}
	return l, nil
}

// ValidTarget reports whether name can name a target: one to 64 of a-z, 0-9, '-' and '_', so that it is one token of a
// subject and part of a queue's name.
func ValidTarget(name string) bool {
	if name == "" || len(name) > 64 {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
