package tally

import (
	"context"
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
	expires map[string]time.Time // by id
	next    time.Time            // none expires before
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
		r = &room{expires: map[string]time.Time{}}
		m.tenants[tenant] = r
	}
	r.expire(now)
	entry := Entered
	switch before, in := r.expires[id]; {
	case in:
		entry = Present
		if before.After(expires) {
			expires = before
		}
	case len(r.expires) >= most:
		return Full
	}
	if expires.After(now) {
		r.expires[id] = expires
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
		delete(r.expires, id)
	}
	if len(r.expires) == 0 {
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
	return len(r.expires), nil
}

// Sample implements [Store].
func (m *Memory) Sample(_ context.Context, tenant string, n int) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.tenants[tenant]
	if r == nil {
		return nil, nil
	}
	some := make([]string, 0, min(n, len(r.expires)))
	for id := range r.expires { // in random order
		if len(some) == n {
			break
		}
		some = append(some, id)
	}
	return some, nil
}

// expire takes out who has expired. It looks at all, but only when one of them may have.
func (r *room) expire(now time.Time) {
	if r.next.IsZero() || now.Before(r.next) {
		return
	}
	r.next = time.Time{}
	for id, expires := range r.expires {
		switch {
		case !expires.After(now):
			delete(r.expires, id)
		case r.next.IsZero() || expires.Before(r.next):
			r.next = expires
		}
	}
}
