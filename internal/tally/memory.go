package tally

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Memory is a [Store] in this process. It is safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	tenants map[string]*room
}

// room is who is in of one tenant.
type room struct {
	in      map[string]place // by id
	entered int              // how many ever did
	order   []ticket         // of each that is in, and some of those that left: the first is sampled next
	next    time.Time        // none expires before
}

type place struct {
	expires time.Time
	ticket  int
}

// ticket is the number of an entering. One who left and entered again has another.
type ticket struct {
	id     string
	number int // from 1
}

// NewMemory returns a store with nobody in it.
func NewMemory() *Memory { return &Memory{tenants: map[string]*room{}} }

// Enter implements [Store].
func (m *Memory) Enter(_ context.Context, tenant, id string, most int, now, expires time.Time) (Entry, error) {
	return m.enter(tenant, id, most, now, expires), nil
}

func (m *Memory) enter(tenant, id string, most int, now, expires time.Time) Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.tenants[tenant]
	if r == nil {
		r = &room{in: map[string]place{}}
		m.tenants[tenant] = r
	}
	r.expire(now)
	entry := Entered
	before, in := r.in[id]
	switch {
	case in:
		entry = Present
		if before.expires.After(expires) {
			expires = before.expires
		}
	case len(r.in) >= most:
		return Full
	case expires.After(now):
		before.ticket = r.ticket(id)
	}
	if expires.After(now) {
		r.in[id] = place{expires, before.ticket}
		if r.next.IsZero() || expires.Before(r.next) {
			r.next = expires
		}
	}
	return entry
}

// Leave implements [Store].
func (m *Memory) Leave(_ context.Context, tenant string, ids ...string) error {
	m.leave(tenant, ids...)
	return nil
}

func (m *Memory) leave(tenant string, ids ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.tenants[tenant]
	if r == nil {
		return
	}
	for _, id := range ids {
		delete(r.in, id)
	}
	if len(r.in) == 0 {
		delete(m.tenants, tenant)
	}
}

// Count implements [Store].
func (m *Memory) Count(_ context.Context, tenant string, now time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.tenants[tenant]
	if r == nil {
		return 0, nil
	}
	r.expire(now)
	return len(r.in), nil
}

// Sample implements [Store]. Those that were sampled last come last, and before that in the order in which they entered.
func (m *Memory) Sample(_ context.Context, tenant string, n int) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.tenants[tenant]
	if r == nil {
		return nil, nil
	}
	some := make([]string, 0, min(n, len(r.in)))
	for len(some) < cap(some) {
		first := r.order[0]
		r.order = r.order[1:]
		if r.has(first) {
			some = append(some, first.id)
			r.order = append(r.order, first)
		}
	}
	return some, nil
}

// ticket returns the number of one that enters.
func (r *room) ticket(id string) int {
	if len(r.order) > 2*len(r.in)+32 {
		r.order = slices.DeleteFunc(r.order, func(t ticket) bool { return !r.has(t) })
	}
	r.entered++
	r.order = append(r.order, ticket{id, r.entered})
	return r.entered
}

func (r *room) has(t ticket) bool { return r.in[t.id].ticket == t.number }

// expire takes out who has expired. It looks at all, but only when one of them may have.
func (r *room) expire(now time.Time) {
	if r.next.IsZero() || now.Before(r.next) {
		return
	}
	r.next = time.Time{}
	for id, p := range r.in {
		switch {
		case !p.expires.After(now):
			delete(r.in, id)
		case r.next.IsZero() || p.expires.Before(r.next):
			r.next = p.expires
		}
	}
}
