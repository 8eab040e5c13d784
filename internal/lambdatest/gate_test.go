package lambdatest_test

import (
	"context"
	"sync"
)

// gate is where a test can hold up what passes. The zero value is open.
type gate struct {
	mu   sync.Mutex
	held *hold
}

// hold is a gate that is shut.
type hold struct {
	arrived chan struct{} // closed when the first stands before it
	over    chan struct{}
	once    sync.Once
}

// hold shuts the gate until the hold is released.
func (g *gate) hold() *hold {
	h := &hold{arrived: make(chan struct{}), over: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = h
	return h
}

func (h *hold) release() { close(h.over) }

// pass waits while the gate is shut, and reports whether it opened before ctx was done.
func (g *gate) pass(ctx context.Context) bool {
	g.mu.Lock()
	h := g.held
	g.mu.Unlock()
	if h == nil {
		return true
	}
	h.once.Do(func() { close(h.arrived) })
	select {
	case <-h.over:
		return true
	case <-ctx.Done():
		return false
	}
}
