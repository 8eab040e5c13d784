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

type flight struct {
	leader string
	until  time.Time
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
	if f, ok := m.flights[key]; ok && f.leader != holder && now.Before(f.until) {
		return f.leader, nil
	}
	m.flights[key] = flight{holder, now.Add(ttl)}
	if len(m.flights) >= m.sweep {
		maps.DeleteFunc(m.flights, func(_ string, f flight) bool { return !now.Before(f.until) })
		m.sweep = max(firstSweep, 2*len(m.flights))
	}
	return holder, nil
}

// Land implements [Store].
func (m *Memory) Land(_ context.Context, key, holder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.flights[key].leader == holder {
		delete(m.flights, key)
	}
	return nil
}
