package hop

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Batch is deliveries that were pushed to this process together.
type Batch struct {
	Deliveries []Delivery
	// AtOnce is how many of them are handled at once; 0: all.
	AtOnce int
	// Room is the time that one of them may need. One that has to wait for a place is not begun with less time left.
	Room time.Duration
}

var errNotBegun = errors.New("hop: not begun: too little time was left")

// Handle takes the deliveries of the batch to their outcomes and returns what became of each, in their order.
//
// Where ctx has a deadline, as a process has that is stopped at a given time, the contexts of the handlers end a reserve
// before it, so that what they did is stored and settled in time. A handler that is ended so has had its try, and the
// event is classified by what it returns: it would not come to an end in the next batch either. What was not begun by then
// is given back. If ctx is canceled, what is not done is given back and no try counts.
//
// Leases are not kept: whoever pushes holds them for longer than ctx's deadline.
func (p *Processor) Handle(ctx context.Context, b Batch) []Settled {
	if b.AtOnce <= 0 {
		b.AtOnce = len(b.Deliveries)
	}
	work, settling, end := ctx, context.WithoutCancel(ctx), time.Time{}
	if deadline, ok := ctx.Deadline(); ok {
		end = deadline.Add(-reserve(deadline.Sub(p.now())))
		var cancel, stop context.CancelFunc
		work, cancel = context.WithDeadline(ctx, end)
		defer cancel()
		settling, stop = context.WithDeadline(settling, deadline)
		defer stop()
	}
	settled := make([]Settled, len(b.Deliveries))
	places := make(chan struct{}, b.AtOnce)
	var wg sync.WaitGroup
	for i, d := range b.Deliveries {
		places <- struct{}{}
		waited := i >= b.AtOnce
		wg.Go(func() {
			defer func() { <-places }()
			if work.Err() != nil || waited && !end.IsZero() && end.Sub(p.now()) < b.Room {
				settled[i] = p.skip(settling, d)
			} else {
				settled[i] = p.process(work, settling, d)
			}
			p.report(settled[i])
		})
	}
	wg.Wait()
	return settled
}

// maxReserve is enough to store an output and to settle an input, which take a broker some milliseconds, and once more
// after a connection broke.
const maxReserve = 5 * time.Second

// reserve is the part of the time left that is kept for storing and settling.
func reserve(left time.Duration) time.Duration { return min(max(left/10, 0), maxReserve) }

// skip gives back a delivery that is not begun.
func (p *Processor) skip(ctx context.Context, d Delivery) Settled {
	outcome := p.giveBack(ctx, d, Outcome{Kind: Return, Err: errNotBegun})
	return Settled{Hop: p.cfg.Hop, In: d.Event, Outcome: outcome, Began: p.now()}
}
