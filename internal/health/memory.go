package health

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// Memory is a [Store] in this process. It is safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	records map[string]expiring
	slots   map[string]expiring // the value is the holder
}

type expiring struct {
	value   []byte
	expires time.Time
}

// NewMemory returns a store with nothing in it.
func NewMemory() *Memory {
	return &Memory{records: map[string]expiring{}, slots: map[string]expiring{}}
}

// Read implements [Store].
func (m *Memory) Read(ctx context.Context, targets []string, now time.Time) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	records := make([][]byte, len(targets))
	for i, target := range targets {
		records[i] = bytes.Clone(live(m.records, target, now))
	}
	return records, nil
}

// Swap implements [Store].
func (m *Memory) Swap(ctx context.Context, changes []Change, now time.Time, ttl time.Duration) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	stands := make([][]byte, len(changes))
	for i, c := range changes {
		kept := live(m.records, c.Target, now)
		if bytes.Equal(kept, c.Old) {
			kept = bytes.Clone(c.New)
			m.records[c.Target] = expiring{kept, now.Add(ttl)}
		}
		stands[i] = bytes.Clone(kept)
	}
	return stands, nil
}

// Probe implements [Store].
func (m *Memory) Probe(ctx context.Context, target, holder string, now time.Time, ttl time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if held := live(m.slots, target, now); held != nil && string(held) != holder {
		return false, nil
	}
	m.slots[target] = expiring{[]byte(holder), now.Add(ttl)}
	return true, nil
}

// Release implements [Store].
func (m *Memory) Release(ctx context.Context, target, holder string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if string(m.slots[target].value) == holder {
		delete(m.slots, target)
	}
	return nil
}

// live returns what is kept under the key at the time, and nil for nothing.
func live(kept map[string]expiring, key string, now time.Time) []byte {
	e, ok := kept[key]
	if !ok || !now.Before(e.expires) {
		return nil
	}
	return e.value
}
