package sqsbus

import (
	"context"
	"sync"
	"time"
)

// maxBatch is the most entries of a batch request (SQS quotas).
const maxBatch = 10

// senders is how many requests of one kind to one queue are under way at once. At some 15 ms each, two carry over 1,000
// entries a second in full batches; more would send smaller batches, and SQS is paid by the request.
const senders = 2

// requestTimeout bounds one batch with its repeats. Past it, what was done is open, and whoever waits does it again.
const requestTimeout = 15 * time.Second

// group sends the entries of one kind for one queue. Those that come while all senders are busy go together in the next
// request, the group commit of databases; nobody waits for company. It is safe for concurrent use.
type group[T any] struct {
	send  func(context.Context, []T) []error // sends a batch, and returns the answer to each entry
	size  func(T) int                        // bytes of an entry; nil where they do not count
	limit int                                // bytes of a batch

	mu      sync.Mutex
	waiting []*entry[T]
	busy    int // senders
}

// entry is one entry on its way, and the answer to it.
type entry[T any] struct {
	value T
	done  chan struct{} // closed when err is set
	err   error
}

// join adds entries, which go together if nobody is before them, and returns what to wait for.
func (g *group[T]) join(values ...T) []*entry[T] {
	entries := make([]*entry[T], len(values))
	for i, v := range values {
		entries[i] = &entry[T]{value: v, done: make(chan struct{})}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, entries...)
	if g.busy < senders {
		g.busy++
		go g.work()
	}
	return entries
}

// do sends one entry and waits for the answer.
func (g *group[T]) do(ctx context.Context, value T) error { return g.join(value)[0].wait(ctx) }

// wait returns the answer to the entry. When ctx ends first, the entry may be done all the same.
func (e *entry[T]) wait(ctx context.Context) error {
	select {
	case <-e.done:
		return e.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// work sends whoever is waiting, until nobody is.
func (g *group[T]) work() {
	for {
		batch := g.next()
		if batch == nil {
			return
		}
		values := make([]T, len(batch))
		for i, e := range batch {
			values[i] = e.value
		}
		// The batch belongs to all that are in it: none of their contexts ends it.
		ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
		answers := g.send(ctx, values)
		cancel()
		for i, e := range batch {
			e.err = answers[i]
			close(e.done)
		}
	}
}

// next takes the entries that are sent next, or ends the sender.
func (g *group[T]) next() []*entry[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, bytes := 0, 0
	for n < len(g.waiting) && n < maxBatch {
		if g.size != nil {
			bytes += g.size(g.waiting[n].value)
		}
		if n > 0 && bytes > g.limit {
			break
		}
		n++
	}
	if n == 0 {
		g.busy--
		g.waiting = nil
		return nil
	}
	batch := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return batch
}
