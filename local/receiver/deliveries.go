package receiver

import (
	"context"
	"iter"
	"sync"
)

// Counts is how much came since the start.
type Counts struct {
	Received int `json:"received"`
	Verified int `json:"verified"`
}

// Counts returns how much came since the start.
func (r *Receiver) Counts() Counts { return r.log.counts() }

// Watch returns the deliveries that come after this call, in order, until ctx is done. None is missed between the call and
// the start of the loop. A loop that falls behind by more than is kept goes on with the oldest that is.
func (r *Receiver) Watch(ctx context.Context) iter.Seq[Delivery] {
	next := r.log.counts().Received
	return func(yield func(Delivery) bool) {
		for {
			d, at, ok := r.log.wait(ctx, next)
			if !ok || !yield(d) {
				return
			}
			next = at + 1
		}
	}
}

// deliveries is the latest deliveries in a ring, numbered from 0.
type deliveries struct {
	keep     int
	mu       sync.Mutex
	ring     []Delivery
	total    int // the number of the next one
	verified int
	came     chan struct{} // closed when the next one comes; nil while nobody waits
}

func newDeliveries(keep int) *deliveries { return &deliveries{keep: keep} }

func (l *deliveries) add(d Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) < l.keep {
		l.ring = append(l.ring, d)
	} else {
		l.ring[l.total%len(l.ring)] = d
	}
	l.total++
	if d.Verified {
		l.verified++
	}
	if l.came != nil {
		close(l.came)
		l.came = nil
	}
}

func (l *deliveries) counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Counts{Received: l.total, Verified: l.verified}
}

// latest returns at most limit deliveries, newest first.
func (l *deliveries) latest(limit int) []Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Delivery, 0, min(limit, len(l.ring)))
	for n := l.total - 1; n >= 0 && len(out) < cap(out); n-- {
		out = append(out, l.ring[n%len(l.ring)])
	}
	return out
}

// wait returns the delivery with the number, or the oldest that is kept if that one is not, and its number. It waits for
// it until ctx is done.
func (l *deliveries) wait(ctx context.Context, number int) (d Delivery, at int, ok bool) {
	for {
		l.mu.Lock()
		if number < l.total {
			at = max(number, l.total-len(l.ring))
			d = l.ring[at%len(l.ring)]
			l.mu.Unlock()
			return d, at, true
		}
		if l.came == nil {
			l.came = make(chan struct{})
		}
		came := l.came
		l.mu.Unlock()
		select {
		case <-came:
		case <-ctx.Done():
			return Delivery{}, 0, false
		}
	}
}
