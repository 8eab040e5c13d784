package simulation

import (
	"fmt"
	"time"

	"baton.dev/baton/events"
)

// What the invariants are made of. The world observes it while it takes an effect.

// pool is the deliveries that one worker of a process chooses from.
type pool struct {
	by     string
	hop    events.Hop
	target string
}

func (p pool) String() string { return fmt.Sprintf("%s's %s %s", p.by, p.hop, p.target) }

// held is a delivery in a process.
type held struct {
	event  string
	lane   events.Lane
	ahead  int       // deliveries of its lane that were there before it
	passed int       // deliveries that were settled since
	until  time.Time // when its lease runs out
}

// maxConcurrency is the most that a worker here handles at once.
const maxConcurrency = 4

// stored notes that an event is stored.
func (w *World) stored(e *events.Event) {
	w.stepsHaveTheirIDs(e)
	w.wasAccepted(e)
	lane, err := e.Lane()
	if err != nil {
		return
	}
	key := lane.String() + " " + e.StorageID()
	if w.copies[key] {
		return
	}
	w.copies[key] = true
	if !e.Shadow {
		w.live[e.Subject]++
	}
	if !w.known[lane] {
		w.known[lane] = true
		w.lanes = append(w.lanes, lane)
	}
}

// handOut notes that a delivery is handed to a process.
func (w *World) handOut(s settler) {
	w.handed[s.event.ID]++
	p := s.pool()
	h := &held{event: s.event.ID, lane: s.lane, until: time.Now().Add(lent)}
	for _, o := range w.pools[p] {
		if o.lane == h.lane {
			h.ahead++
		}
	}
	w.pools[p] = append(w.pools[p], h)
}

// letGo notes that a process has settled a delivery, whatever came of it.
func (w *World) letGo(s settler) {
	p := s.pool()
	w.lowIsNotStarved(p, s.event.ID)
	for i, h := range w.pools[p] {
		if h.event == s.event.ID {
			w.pools[p] = append(w.pools[p][:i:i], w.pools[p][i+1:]...)
			break
		}
	}
}

// extended notes that a process has a delivery for longer.
func (w *World) extended(s settler) {
	for _, h := range w.pools[s.pool()] {
		if h.event == s.event.ID {
			h.until = time.Now().Add(lent)
		}
	}
}

// beside returns how many lanes of the priority there have ever been for the hop and target.
func (w *World) beside(l events.Lane) int {
	n := 0
	for _, o := range w.lanes {
		if o.Hop == l.Hop && o.Target == l.Target && o.Priority == l.Priority {
			n++
		}
	}
	return n
}

// less notes that an event is stored no more.
func (w *World) less(e *events.Event) {
	if !e.Shadow {
		w.live[e.Subject]--
	}
}

// acked notes that a delivery is settled for good, if it was still the process's to settle.
func (w *World) acked(s settler) {
	key := s.lane.String() + " " + s.event.StorageID()
	if n, ok := w.lent[key]; !ok || n != s.number {
		return
	}
	delete(w.lent, key)
	w.less(&s.event)
	w.somethingGoesOn(&s.event)
}

func (s settler) pool() pool { return pool{s.by.name, s.lane.Hop, s.lane.Target} }
