package hop

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// errLeaseLost is the cause of a handler's context that ended because the transport may have handed the event to another.
var errLeaseLost = errors.New("hop: the lease of the delivery is lost")

// leases extends the leases of all deliveries that a worker holds, waiting or begun, until they are released: one loop for
// all, since a timer for each would cost more than the work of a short hop.
type leases struct {
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	held map[*held]struct{}
}

// held is a delivery under a lease that is kept.
type held struct {
	Delivery
	extended time.Time // when the lease last began for certain

	mu   sync.Mutex
	lost bool
	end  context.CancelCauseFunc // of the handler's context, while it runs
}

// size returns the bytes of the event's data.
func (h *held) size() int64 { return int64(len(h.Event.Data)) }

func newLeases(log *slog.Logger) *leases {
	return &leases{log: log, now: time.Now, held: map[*held]struct{}{}}
}

// hold begins to keep the delivery's lease.
func (l *leases) hold(d Delivery) *held {
	h := &held{Delivery: d, extended: l.now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[h] = struct{}{}
	return h
}

// release ends the keeping: the delivery is about to be settled, or was.
func (l *leases) release(h *held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, h)
}

// leaseTick is how often leases are looked at. A lease is extended when a third of it has passed, so that two failed
// extensions do not lose it; leases shorter than about 300ms are not kept.
const leaseTick = 100 * time.Millisecond

// run keeps leases until ctx is done.
func (l *leases) run(ctx context.Context) {
	tick := time.NewTicker(leaseTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.extend(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// extend extends the leases of which a third has passed.
func (l *leases) extend(ctx context.Context) {
	now := l.now()
	var due []*held
	l.mu.Lock()
	for h := range l.held {
		if h.Lease > 0 && now.Sub(h.extended) >= h.Lease/3 {
			due = append(due, h)
		}
	}
	l.mu.Unlock()
	atOnce(due, func(h *held) {
		err := h.Extend(ctx)
		if err == nil {
			h.extended = now // read and written by this loop alone, once the delivery is held
			return
		}
		l.log.Warn("lease not extended", "id", h.Event.ID, "error", err)
		if now.Sub(h.extended) >= h.Lease {
			h.lose()
		}
	})
}

// settlers is how many deliveries are extended or given back at once: a transport may need a round trip for each, and may
// put together what comes together.
const settlers = 32

// atOnce calls f for each of the deliveries, several at once, and returns when all have returned.
func atOnce(all []*held, f func(*held)) {
	var wg sync.WaitGroup
	next := make(chan *held)
	for range min(settlers, len(all)) {
		wg.Go(func() {
			for h := range next {
				f(h)
			}
		})
	}
	for _, h := range all {
		next <- h
	}
	close(next)
	wg.Wait()
}

// handling ties the handler's context to the lease: it ends when the lease is lost.
func (h *held) handling(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, end := context.WithCancelCause(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end = end
	if h.lost {
		end(errLeaseLost)
	}
	return ctx, end
}

func (h *held) isLost() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost
}

func (h *held) lose() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lost = true
	if h.end != nil {
		h.end(errLeaseLost)
	}
}
