package bulkhead

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// lane is what one process knows of a target: who waits in line, and how many are inside.
type lane struct {
	line    *semaphore.Weighted // of 1: who has it is first in line; it goes to the others in the order they came
	changed chan struct{}       // gets a value when one left or the limit is another; the first in line hears it

	mu     sync.Mutex
	limit  int
	inside int

	members int // who wait or are inside; guarded by the bulkhead's mutex
}

// join returns the target's lane, with one more member and the limit.
func (b *Bulkhead) join(target string, limit int) *lane {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.lanes[target]
	if !ok {
		l = &lane{line: semaphore.NewWeighted(1), changed: make(chan struct{}, 1), limit: limit}
		b.lanes[target] = l
	}
	l.members++
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit != limit {
		l.limit = limit
		l.signal()
	}
	return l
}

// part takes a member out, and the lane with the last.
func (b *Bulkhead) part(target string, l *lane) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.members--
	if l.members == 0 {
		delete(b.lanes, target)
	}
}

// look returns the limit, and whether as many are inside.
func (l *lane) look() (limit int, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limit, l.inside >= l.limit
}

func (l *lane) enter() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inside++
}

func (l *lane) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inside--
	l.signal()
}

func (l *lane) signal() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// pause waits until the lane has changed, ctx is done or again has a value. Nil has none.
func (l *lane) pause(ctx context.Context, again <-chan time.Time) {
	select {
	case <-ctx.Done():
	case <-l.changed:
	case <-again:
	}
}
