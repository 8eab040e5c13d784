package answers

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
)

// memoryBytes bounds the values of a [Memory].
const memoryBytes = 64 << 20

// Memory is a [Store] in the memory of this process, for one that answers alone, for tests and for simulation. It holds at
// most 64 MiB of values and drops the least used beyond.
type Memory struct {
	now    func() time.Time
	values *otter.Cache[string, value]

	mu      sync.Mutex // held for every write, so that a Lead sees the values that were put before it
	flights map[string]flight
	sweep   int // how many flights there are when those that are over are looked for next
}

type value struct {
	bytes []byte
	until time.Time
}

// flight is who leads under a key, and how many may.
type flight struct {
	leaders map[string]time.Time // until when each leads
	width   int
	wide    time.Time // until when it is that wide; afterwards it is one
}

// land takes those out whose lead is over, and reports whether nothing is left to be known of the flight.
func (f flight) land(now time.Time) bool {
	maps.DeleteFunc(f.leaders, func(_ string, until time.Time) bool { return !now.Before(until) })
	return len(f.leaders) == 0 && !now.Before(f.wide)
}

// first returns the leader whose lead ends first; of two at once the one whose name does.
func (f flight) first() string {
	first := ""
	for leader, until := range f.leaders {
		if d := until.Compare(f.leaders[first]); first == "" || d < 0 || d == 0 && leader < first {
			first = leader
		}
	}
	return first
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		now:     time.Now,
		flights: map[string]flight{},
		sweep:   firstSweep,
		values: otter.Must(&otter.Options[string, value]{
			MaximumWeight: memoryBytes,
			Weigher:       func(key string, v value) uint32 { return uint32(len(key) + len(v.bytes) + entryBytes) },
		}),
	}
}

// firstSweep is a number of flights that is not worth a look at each.
const firstSweep = 1024

// WithClock makes the store read another clock, for runs in another time than now, and returns it.
func (m *Memory) WithClock(now func() time.Time) *Memory {
	m.now = now
	return m
}

// Get implements [Store].
func (m *Memory) Get(_ context.Context, key string) ([]byte, error) {
	v, ok := m.values.GetIfPresent(key)
	if !ok || !m.now().Before(v.until) {
		return nil, ErrNotFound
	}
	return slices.Clone(v.bytes), nil
}

// Put implements [Store].
func (m *Memory) Put(_ context.Context, key string, bytes []byte, now time.Time, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values.Set(key, value{slices.Clone(bytes), now.Add(ttl)})
	return nil
}

// Lead implements [Store].
func (m *Memory) Lead(_ context.Context, key, holder string, now time.Time, ttl time.Duration) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.values.GetIfPresent(key); ok && now.Before(v.until) {
		return "", nil
	}
	f := m.flight(key, now)
	if _, leads := f.leaders[holder]; !leads {
		width := 1
		if now.Before(f.wide) {
			width = f.width
		}
		switch {
		case width >= Everyone:
			return holder, nil
		case len(f.leaders) >= width:
			return f.first(), nil
		}
	}
	f.leaders[holder] = now.Add(ttl)
	m.flights[key] = f
	return holder, nil
}

// Land implements [Store].
func (m *Memory) Land(_ context.Context, key, holder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.flights[key]
	delete(f.leaders, holder)
	if len(f.leaders) == 0 && f.width == 0 {
		delete(m.flights, key)
	}
	return nil
}

// Widen implements [Store].
func (m *Memory) Widen(_ context.Context, key, holder string, width int, now time.Time, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.flight(key, now)
	_, led := f.leaders[holder]
	delete(f.leaders, holder)
	if !led && width < Everyone || now.Before(f.wide) && width < f.width {
		return nil
	}
	f.width, f.wide = width, now.Add(ttl)
	m.flights[key] = f
	return nil
}

// flight returns the key's flight without those whose lead is over, and forgets the flights of which nothing is left to be
// known once they may be many. m.mu is held.
func (m *Memory) flight(key string, now time.Time) flight {
	if len(m.flights) >= m.sweep {
		maps.DeleteFunc(m.flights, func(_ string, f flight) bool { return f.land(now) })
		m.sweep = max(firstSweep, 2*len(m.flights))
	}
	f, ok := m.flights[key]
	if !ok {
		return flight{leaders: map[string]time.Time{}}
	}
	f.land(now)
	return f
}
