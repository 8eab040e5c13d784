package results

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Memory is [Cells] in the memory of this process, for tests and simulation: nothing expires, and a restart forgets
// everything.
type Memory struct {
	mu       sync.Mutex
	cells    map[string][]byte
	watchers map[string][]chan struct{}
}

// NewMemory returns empty cells.
func NewMemory() *Memory {
	return &Memory{cells: map[string][]byte{}, watchers: map[string][]chan struct{}{}}
}

// Create implements [Cells].
func (m *Memory) Create(_ context.Context, key string, value []byte, _ time.Time) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if existing, ok := m.cells[key]; ok {
		return slices.Clone(existing), nil
	}
	m.cells[key] = slices.Clone(value)
	for _, w := range m.watchers[key] {
		select {
		case w <- struct{}{}:
		default:
		}
	}
	return nil, nil
}

// Get implements [Cells].
func (m *Memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.cells[key]
	if !ok {
		return nil, ErrNotFound
	}
	return slices.Clone(value), nil
}

// Watch implements [Cells].
func (m *Memory) Watch(_ context.Context, key string) (<-chan struct{}, func(), error) {
	hint := make(chan struct{}, 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers[key] = append(m.watchers[key], hint)
	stop := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		rest := slices.DeleteFunc(m.watchers[key], func(c chan struct{}) bool { return c == hint })
		if len(rest) == 0 {
			delete(m.watchers, key)
			return
		}
		m.watchers[key] = rest
	}
	return hint, stop, nil
}
