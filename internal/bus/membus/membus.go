// Package membus is a transport in the memory of one process, for tests and simulation. It uses the time package alone,
// so inside testing/synctest it runs on virtual time.
//
// Delivery: at least once, under a lease; an unsettled delivery is handed out again when its lease runs out.
// Order: first in, first out within a lane, but for what was delayed or given back.
// Delay: exact.
// Size: the limit that Options sets, over the event's data.
// Duplicates: a storage id is stored once, for as long as the bus lives.
// Dead letters: kept in the order they came until removed.
// Durability: none.
package membus

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// Options of a bus. The zero value is ready to use.
type Options struct {
	Lease   time.Duration // of a delivery; 0: 30s
	MaxData int           // bytes of an event's data; 0: unlimited
	Wait    time.Duration // how long Receive waits for a first delivery; 0: 20s
}

// Bus is a transport in memory. It is safe for concurrent use.
type Bus struct {
	opts Options

	mu     sync.Mutex
	lanes  map[events.Lane][]*message // in the order they were stored
	stored map[string]bool
	dead   []events.Event
	change chan struct{} // closed and replaced when a lane may have something new
}

type message struct {
	event  events.Event
	number int
	due    time.Time // handed out no earlier: its delay, or the end of its lease
	lease  int       // counts leases, so that a settler of an old one has no effect
}

// New returns an empty bus.
func New(o Options) *Bus {
	if o.Lease == 0 {
		o.Lease = 30 * time.Second
	}
	if o.Wait == 0 {
		o.Wait = 20 * time.Second
	}
	return &Bus{opts: o, lanes: map[events.Lane][]*message{}, stored: map[string]bool{}, change: make(chan struct{})}
}

// Publish implements [hop.Publisher]. It stores all of the events or none.
func (b *Bus) Publish(_ context.Context, out ...events.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	lanes := make([]events.Lane, len(out))
	for i, e := range out {
		lane, err := e.Lane()
		if err != nil {
			return fmt.Errorf("membus: publish: %w", err)
		}
		if b.opts.MaxData > 0 && len(e.Data) > b.opts.MaxData {
			return fmt.Errorf("membus: publish %s: %w: %d bytes, limit %d", e.ID, hop.ErrTooLarge, len(e.Data), b.opts.MaxData)
		}
		lanes[i] = lane
	}
	for i, e := range out {
		id := lanes[i].String() + " " + e.StorageID()
		if b.stored[id] {
			continue
		}
		b.stored[id] = true
		e.Data = slices.Clone(e.Data)
		if e.Dead != nil {
			b.dead = append(b.dead, e)
			continue
		}
		b.lanes[lanes[i]] = append(b.lanes[lanes[i]], &message{event: e, due: e.NotBefore})
	}
	b.changed()
	return nil
}

// Receive implements [hop.Source].
func (b *Bus) Receive(ctx context.Context, lane events.Lane, limit int, take func(hop.Delivery)) error {
	end := time.Now().Add(b.opts.Wait)
	for {
		ready, next, change := b.lend(lane, limit)
		for _, d := range ready {
			take(d)
		}
		if len(ready) > 0 || !time.Now().Before(end) {
			return nil
		}
		if next.IsZero() || next.After(end) {
			next = end
		}
		due := time.NewTimer(time.Until(next))
		select {
		case <-change:
		case <-due.C:
		case <-ctx.Done():
			due.Stop()
			return nil
		}
		due.Stop()
	}
}

// lend hands out what is due under new leases. With nothing due it returns when the next is, if known, and a channel that
// closes on a change.
func (b *Bus) lend(lane events.Lane, limit int) (ready []hop.Delivery, next time.Time, change <-chan struct{}) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.lanes[lane] {
		if m.due.After(now) {
			if next.IsZero() || m.due.Before(next) {
				next = m.due
			}
			continue
		}
		if len(ready) == limit {
			break
		}
		m.number++
		m.lease++
		m.due = now.Add(b.opts.Lease)
		ready = append(ready, hop.Delivery{
			Event: m.event, Number: m.number, Lease: b.opts.Lease,
			Settler: &lease{bus: b, lane: lane, message: m, lease: m.lease},
		})
	}
	return ready, next, b.change
}

// changed wakes every receiver. The caller holds the lock.
func (b *Bus) changed() {
	close(b.change)
	b.change = make(chan struct{})
}

// DeadLetters implements [hop.DeadLetters].
func (b *Bus) DeadLetters(context.Context) iter.Seq2[hop.DeadLetter, error] {
	b.mu.Lock()
	dead := slices.Clone(b.dead)
	b.mu.Unlock()
	return func(yield func(hop.DeadLetter, error) bool) {
		for _, e := range dead {
			if !yield(hop.DeadLetter{Event: e, Key: e.StorageID()}, nil) {
				return
			}
		}
	}
}

// RemoveDeadLetter implements [hop.DeadLetters].
func (b *Bus) RemoveDeadLetter(_ context.Context, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dead = slices.DeleteFunc(b.dead, func(e events.Event) bool { return e.StorageID() == key })
	return nil
}

// lease settles one delivery.
type lease struct {
	bus     *Bus
	lane    events.Lane
	message *message
	lease   int
}

// Ack implements [hop.Settler].
func (l *lease) Ack(context.Context) error {
	l.settle(func() {
		l.bus.lanes[l.lane] = slices.DeleteFunc(l.bus.lanes[l.lane], func(m *message) bool { return m == l.message })
		l.message.lease++
	})
	return nil
}

// Return implements [hop.Settler].
func (l *lease) Return(_ context.Context, delay time.Duration) error {
	l.settle(func() {
		l.message.due = time.Now().Add(delay)
		l.message.lease++
		l.bus.changed()
	})
	return nil
}

// Extend implements [hop.Settler].
func (l *lease) Extend(context.Context) error {
	l.settle(func() { l.message.due = time.Now().Add(l.bus.opts.Lease) })
	return nil
}

// settle calls f under the bus's lock if the lease is still the message's last.
func (l *lease) settle(f func()) {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	if l.message.lease == l.lease {
		f()
	}
}
