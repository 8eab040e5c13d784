package simulation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/hop"
)

// transport is the memory transport as a process sees it: each step is an effect.
type transport struct{ by *process }

// lent is how long a delivery is lent; a process extends it each third.
const lent = 6 * time.Second

// receiveWait is how long a process waits for a first delivery.
const receiveWait = 20 * time.Second

// Publish implements [hop.Publisher].
func (t transport) Publish(ctx context.Context, out ...events.Event) error {
	if len(out) == 0 {
		return nil
	}
	w := t.by.world
	return w.await(ctx, &effect{by: t.by, kind: Publish, subject: out[0].StorageID(), do: func() error {
		return w.store(ctx, out)
	}})
}

// store stores the events, and writes down that they are there.
func (w *World) store(ctx context.Context, out []events.Event) error {
	if err := w.bus.Publish(ctx, out...); err != nil {
		return err
	}
	for i := range out {
		if lane, err := out[i].Lane(); err == nil {
			w.dueOf(lane).known = false
		}
		if dead := out[i].Dead; dead != nil {
			w.notef("dead letter: %s", dead.Reason)
		}
		w.stored(&out[i])
	}
	return nil
}

// Receive implements [hop.Source]. It hands out one delivery a call, so that each is a step of its own.
func (t transport) Receive(ctx context.Context, lane events.Lane, _ int, take func(hop.Delivery)) error {
	w := t.by.world
	due := w.dueOf(lane)
	var got []hop.Delivery
	err := w.await(ctx, &effect{
		by: t.by, kind: Receive, subject: lane.String(), expires: time.Now().Add(receiveWait),
		ready: func(now time.Time) (bool, time.Time) {
			next, ok := due.next(w.bus)
			return ok && !next.After(now) || due.doubled, next
		},
		do: func() error {
			d, err := w.lend(ctx, lane)
			if err != nil {
				return err
			}
			w.notef("%s, delivery %d", d.Event.StorageID(), d.Number)
			if w.current == Lost {
				return nil
			}
			if w.current == Doubled {
				double := d
				double.Settler = nobody{}
				double.Number = 0
				w.doubles[lane] = append(w.doubles[lane], double)
				due.doubled = true
			}
			s := settler{by: t.by, lane: lane, event: d.Event, number: d.Number, inner: d.Settler}
			w.handOut(s)
			if s.number == 0 {
				w.doubled++
				s.double = fmt.Sprintf(", double %d", w.doubled)
			}
			d.Settler = s
			got = []hop.Delivery{d}
			return nil
		},
	})
	if ctx.Err() != nil && len(got) == 0 {
		return nil
	}
	for _, d := range got {
		take(d)
	}
	return err
}

// lend takes one delivery of the lane out of the transport, or one that is there twice.
func (w *World) lend(ctx context.Context, lane events.Lane) (d hop.Delivery, err error) {
	if doubles := w.doubles[lane]; len(doubles) > 0 {
		w.doubles[lane] = doubles[1:]
		w.dueOf(lane).doubled = len(doubles) > 1
		return doubles[0], nil
	}
	w.dueOf(lane).known = false
	err = w.bus.Receive(ctx, lane, 1, func(lent hop.Delivery) {
		d = lent
		w.lent[lane.String()+" "+d.Event.StorageID()] = d.Number
	})
	return d, err
}

// Targets returns the targets that infer has work for, as a transport on a network does.
func (t transport) Targets(context.Context) ([]string, error) {
	w := t.by.world
	var targets []string
	for _, lane := range w.lanes {
		if _, ok := w.bus.Next(lane); ok && lane.Target != "" && !slices.Contains(targets, lane.Target) {
			targets = append(targets, lane.Target)
		}
	}
	return targets, nil
}

// settler settles a delivery; each step is an effect.
type settler struct {
	by     *process
	lane   events.Lane
	event  events.Event
	number int    // of the delivery; 0: one that came once more
	double string // tells those apart
	inner  hop.Settler
}

func (s settler) await(ctx context.Context, kind Kind, do func() error) error {
	e := &effect{by: s.by, kind: kind, subject: s.event.StorageID() + s.double, do: do}
	if kind != Extend {
		e.tried = func() { s.by.world.letGo(s) }
	}
	return s.by.world.await(ctx, e)
}

// Ack implements [hop.Settler].
func (s settler) Ack(ctx context.Context) error {
	return s.await(ctx, Ack, func() error {
		s.by.world.dueOf(s.lane).known = false
		err := s.inner.Ack(ctx)
		s.by.world.acked(s)
		return err
	})
}

// Return implements [hop.Settler].
func (s settler) Return(ctx context.Context, delay time.Duration) error {
	return s.await(ctx, Return, func() error {
		s.by.world.notef("for %v", delay)
		s.by.world.dueOf(s.lane).known = false
		return s.inner.Return(ctx, delay)
	})
}

// Extend implements [hop.Settler].
func (s settler) Extend(ctx context.Context) error {
	return s.await(ctx, Extend, func() error {
		s.by.world.dueOf(s.lane).known = false
		s.by.world.extended(s)
		return s.inner.Extend(ctx)
	})
}

// nobody settles a delivery that came once more: nothing is behind it.
type nobody struct{}

func (nobody) Ack(context.Context) error                   { return nil }
func (nobody) Return(context.Context, time.Duration) error { return nil }
func (nobody) Extend(context.Context) error                { return nil }

// due is when a lane has something to hand out, as long as nothing changed in it.
type due struct {
	lane    events.Lane
	known   bool
	at      time.Time
	any     bool
	doubled bool // something of it is to arrive once more
}

func (d *due) next(bus *membus.Bus) (time.Time, bool) {
	if !d.known {
		d.at, d.any = bus.Next(d.lane)
		d.known = true
	}
	return d.at, d.any
}

// dueOf may be called by parts, so the map is guarded; what it holds is the world's.
func (w *World) dueOf(lane events.Lane) *due {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.dues[lane]
	if !ok {
		d = &due{lane: lane}
		w.dues[lane] = d
	}
	return d
}
