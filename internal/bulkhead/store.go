package bulkhead

import (
	"context"
	"maps"
	"sync"
	"time"
)

const (
	// Turn is how long one who finds a target full may be overtaken by others that came later, but found a place free at
	// once. Who has waited for longer goes first. So no process starves beside a busier one, and a place that is free is
	// seldom kept for one who has not asked again yet.
	Turn = 200 * time.Millisecond
	// Patience is how long one who waits counts as waiting without asking again: two of the longest pauses between.
	Patience = 250 * time.Millisecond
)

// Store keeps who is inside at each target, and who waits to be. Each method is one atomic step. It is safe for concurrent
// use and reads no clock: now is the caller's. An error means that nothing is known of whether the step was done.
type Store interface {
	// Enter lets the id in for ttl, and reports whether it is: if it was in already, or if fewer than limit are and none of
	// the free places is due to one who has waited for [Turn]. An id that is not let in waits while it asks again within
	// [Patience], at the place in line where it asked first. A limit below 1 lets nobody in. Limits may differ by call.
	Enter(ctx context.Context, target, id string, limit int, now time.Time, ttl time.Duration) (bool, error)
	// Stay lets the id be in until ttl from now, whatever the limit: who is inside counts, also where a store forgot it.
	Stay(ctx context.Context, target, id string, now time.Time, ttl time.Duration) error
	// Leave takes the id out, of those inside and of those that wait. One that is not there is no error.
	Leave(ctx context.Context, target, id string) error
}

// Memory is a [Store] in the memory of this process, for tests and simulation. The zero value is ready to use.
type Memory struct {
	mu      sync.Mutex
	targets map[string]*crowd
}

// crowd is who is at a target, by id.
type crowd struct {
	inside  map[string]time.Time // until when
	waiting map[string]wait
}

type wait struct{ first, last time.Time }

// NewMemory returns a store with nobody in it.
func NewMemory() *Memory { return &Memory{} }

// Enter implements [Store].
func (m *Memory) Enter(_ context.Context, target, id string, limit int, now time.Time, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.at(target)
	maps.DeleteFunc(c.inside, func(_ string, until time.Time) bool { return !now.Before(until) })
	maps.DeleteFunc(c.waiting, func(_ string, w wait) bool { return now.Sub(w.last) > Patience })
	if _, in := c.inside[id]; in {
		c.inside[id] = now.Add(ttl)
		return true, nil
	}
	mine, waits := c.waiting[id]
	if !waits {
		mine.first = now
	}
	ahead := 0
	for _, w := range c.waiting {
		if w.first.Before(mine.first) && now.Sub(w.first) >= Turn {
			ahead++
		}
	}
	if len(c.inside)+ahead < limit {
		delete(c.waiting, id)
		c.inside[id] = now.Add(ttl)
		return true, nil
	}
	mine.last = now
	c.waiting[id] = mine
	return false, nil
}

// Stay implements [Store].
func (m *Memory) Stay(_ context.Context, target, id string, now time.Time, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at(target).inside[id] = now.Add(ttl)
	return nil
}

// Leave implements [Store].
func (m *Memory) Leave(_ context.Context, target, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.at(target)
	delete(c.inside, id)
	delete(c.waiting, id)
	if len(c.inside)+len(c.waiting) == 0 {
		delete(m.targets, target)
	}
	return nil
}

func (m *Memory) at(target string) *crowd {
	if m.targets == nil {
		m.targets = map[string]*crowd{}
	}
	c, ok := m.targets[target]
	if !ok {
		c = &crowd{map[string]time.Time{}, map[string]wait{}}
		m.targets[target] = c
	}
	return c
}
