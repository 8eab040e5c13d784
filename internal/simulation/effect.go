package simulation

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"
)

// Kind is what an effect does.
type Kind string

// The kinds of effects.
const (
	Publish Kind = "publish" // events are stored in the transport
	Receive Kind = "receive" // a delivery is handed to a process
	Ack     Kind = "ack"
	Return  Kind = "return"
	Extend  Kind = "extend"
	Write   Kind = "write"  // a fact of package results
	Read    Kind = "read"   // the same
	Share   Kind = "share"  // a step of a store that processes share
	Call    Kind = "call"   // a model is called
	Answer  Kind = "answer" // it answers
	Post    Kind = "post"   // a callback is delivered
	Turn    Kind = "turn"   // a caller, the operator or the world does something
)

var (
	errFault = errors.New("simulation: fault")
	errGone  = errors.New("simulation: the process is gone")
)

// effect is something that a part of the world is about to do to another.
type effect struct {
	by      *process // nil: the world itself, which has no faults
	kind    Kind
	subject string
	do      func() error // called at most once, by the world, while everything else stands still
	tried   func()       // called when the effect is taken, whatever goes wrong; may be nil
	due     time.Time    // not taken earlier; zero: at once
	ready   func(now time.Time) (bool, time.Time)
	expires time.Time // of one that waits to be ready: it ends with nothing then

	id      string
	rank    uint64
	delayed bool
	done    chan error
}

// queue is the effects that wait to be taken.
type queue struct {
	chance chance

	mu      sync.Mutex
	waiting []*effect
	counts  map[string]int
	closed  bool
	came    chan struct{} // has a value when an effect came
}

func newQueue(c chance) *queue {
	return &queue{chance: c, counts: map[string]int{}, came: make(chan struct{}, 1)}
}

// add puts an effect in the queue under an id of its own, or reports that nothing comes of it: its process is gone.
func (q *queue) add(e *effect) bool {
	e.done = make(chan error, 1)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || e.by != nil && e.by.gone {
		return false
	}
	name := string(e.kind) + " " + e.subject
	if e.by != nil {
		name = e.by.name + " " + name
	}
	n := q.counts[name]
	q.counts[name]++
	e.id = name + " #" + strconv.Itoa(n)
	e.rank = q.chance.draw(e.id, 0)
	q.waiting = append(q.waiting, e)
	select {
	case q.came <- struct{}{}:
	default:
	}
	return true
}

// remove takes the effect out, or reports that it was taken already.
func (q *queue) remove(e *effect) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, o := range q.waiting {
		if o == e {
			last := len(q.waiting) - 1
			q.waiting[i], q.waiting[last] = q.waiting[last], nil
			q.waiting = q.waiting[:last]
			return true
		}
	}
	return false
}

// drop ends the effects of a process that is gone, or of all and for good where it is nil.
func (q *queue) drop(p *process) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p == nil {
		q.closed = true
	} else {
		p.gone = true
	}
	left := q.waiting[:0]
	for _, e := range q.waiting {
		if p != nil && e.by != p {
			left = append(left, e)
			continue
		}
		e.done <- errGone
	}
	clear(q.waiting[len(left):])
	q.waiting = left
}

// stall has the process stand still for a while: nothing that it does takes place until then. Its clocks go on; of one that
// is frozen, what is under way does not hear them until then.
func (q *queue) stall(p *process, until time.Time, frozen bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p.stalled, p.frozen = until, frozen
}

// numb returns how long the process hears no clock.
func (q *queue) numb(p *process) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p == nil || !p.frozen || p.gone {
		return 0
	}
	return time.Until(p.stalled)
}

// isGone reports whether the process was taken away.
func (q *queue) isGone(p *process) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return p.gone || q.closed
}

// next returns the effect to take at the time: of those that can be, the one whose rank is lowest. With none it returns when
// one can be, as far as is known. An effect that has expired comes before all others, and its rest is true.
func (q *queue) next(now time.Time) (best *effect, expired bool, wake time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wakeAt := func(t time.Time) {
		if !t.IsZero() && (wake.IsZero() || t.Before(wake)) {
			wake = t
		}
	}
	for _, e := range q.waiting {
		if e.due.After(now) {
			wakeAt(e.due)
			continue
		}
		if e.by != nil && e.by.stalled.After(now) {
			wakeAt(e.by.stalled)
			continue
		}
		over := false
		if e.ready != nil {
			ok, at := e.ready(now)
			if over = !ok && !e.expires.After(now); !ok && !over {
				wakeAt(at)
				wakeAt(e.expires)
				continue
			}
		}
		if best == nil || over && !expired || over == expired && e.rank < best.rank {
			best, expired = e, over
		}
	}
	return best, expired, wake
}

// await waits until the world took the effect and returns what came of it, or ctx's error if ctx is done before.
func (w *World) await(ctx context.Context, e *effect) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := errGone
	if w.queue.add(e) {
		select {
		case err = <-e.done:
		case <-ctx.Done():
			err = w.expire(ctx, e)
		}
	}
	if v := visitOf(ctx); v != nil {
		v.faulty = v.faulty || ctx.Err() != nil || errors.Is(err, errGone) || errors.Is(err, errFault) || errors.Is(err, errAway)
	}
	return err
}

// expire ends the waiting for an effect, or returns what came of it: of a process that was frozen, perhaps at the moment
// that it goes on, before it hears how late it is.
func (w *World) expire(ctx context.Context, e *effect) error {
	if numb := w.queue.numb(e.by); numb > 0 {
		waking := time.NewTimer(numb + w.chance.between(e.id, 4, 0, 20*time.Millisecond))
		defer waking.Stop()
		select {
		case err := <-e.done:
			return err
		case <-waking.C:
		}
	}
	if w.queue.remove(e) {
		return ctx.Err()
	}
	return <-e.done
}

// at has the world do something at a time, unless it is over by then.
func (w *World) at(due time.Time, subject string, do func()) {
	w.queue.add(&effect{kind: Turn, subject: subject, due: due, do: func() error { do(); return nil }})
}
