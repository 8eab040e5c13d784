package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"baton.dev/baton/internal/catalog"
)

// mostKept is how many steps a [Patient] keeps: minutes of a busy process, in a few megabytes.
const mostKept = 10_000

// Patient is a [Store] that gives nothing up because its inner one is away: what [Accounts.Settle], [Accounts.Release] and
// [Book.Count] cannot write down is kept in memory, and written when it can be, with the time at which it came to pass. They
// return an error only for what no store takes. It is safe for concurrent use.
//
// It keeps 10,000 steps, and each for [Remembered]: beyond that the oldest is lost, as all are that a process keeps when it
// ends. What is lost of an account stays reserved in it, so that its budget is not overspent.
//
// Reserve, Spent and Totals are those of the inner store, and fail while it is away. Since a step may be written after the
// next execution of its attempt has begun, no two executions may have one id.
type Patient struct {
	Store

	log *slog.Logger
	now func() time.Time

	turn chan struct{} // to flush, one at a time: it is no use to ask twice for the same

	mu      sync.Mutex
	kept    []step // in the order in which they came
	behind  bool   // something was kept since all was written
	written int    // of what was kept since then
	lost    int
}

// step is what was not written down.
type step struct {
	write func(context.Context) error
	since time.Time
}

// NewPatient returns a patient store over the inner one. [Patient.Run] or [Patient.Flush] write what it keeps.
func NewPatient(inner Store, log *slog.Logger) *Patient {
	return &Patient{Store: inner, log: log, now: time.Now, turn: make(chan struct{}, 1)}
}

// Settle implements [Accounts].
func (p *Patient) Settle(ctx context.Context, account, id string, amount catalog.Money, now time.Time) error {
	if err := Check(account, id, amount); err != nil {
		return err
	}
	p.write(ctx, func(ctx context.Context) error { return p.Store.Settle(ctx, account, id, amount, now) })
	return nil
}

// Release implements [Accounts].
func (p *Patient) Release(ctx context.Context, account, id string) error {
	p.write(ctx, func(ctx context.Context) error { return p.Store.Release(ctx, account, id) })
	return nil
}

// Count implements [Book].
func (p *Patient) Count(ctx context.Context, now time.Time, e Entry) error {
	if _, err := e.Total(now); err != nil {
		return err
	}
	p.write(ctx, func(ctx context.Context) error { return p.Store.Count(ctx, now, e) })
	return nil
}

// write takes the step, or keeps it.
func (p *Patient) write(ctx context.Context, do func(context.Context) error) {
	err := do(ctx)
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.behind {
		p.behind = true
		p.log.Warn("what attempts took cannot be written down: it is kept and tried again", "error", err)
	}
	p.keep(step{do, p.now()})
}

// keep keeps the step, as the last. The caller has the lock.
func (p *Patient) keep(s step) {
	if len(p.kept) == mostKept {
		p.take()
		p.lose()
	}
	p.kept = append(p.kept, s)
}

// take takes out the first step. The caller has the lock.
func (p *Patient) take() step {
	first := p.kept[0]
	p.kept[0] = step{}
	p.kept = p.kept[1:]
	return first
}

func (p *Patient) lose() {
	p.lost++
	if p.lost == 1 {
		p.log.Error("what attempts took is lost: there is more of it than is kept, or it is kept for too long")
	}
}

// Run writes what is kept, every second until ctx is done and then once more.
func (p *Patient) Run(ctx context.Context) {
	const (
		every = time.Second
		last  = 2 * time.Second
	)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			_ = p.Flush(ctx) // what it could not write is kept, and it was logged
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), last)
	defer cancel()
	if err := p.Flush(ctx); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.log.Error("what attempts took is lost: the process ends", "steps", len(p.kept), "error", err)
	}
}

// Flush writes what is kept, in the order in which it came, and returns the first error: the rest is kept. What failed
// comes last the next time, so that one step that cannot be taken holds up no other.
func (p *Patient) Flush(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("ledger: write what is kept: %w", ctx.Err())
	case p.turn <- struct{}{}:
	}
	defer func() { <-p.turn }()
	for {
		s, ok := p.next()
		if !ok {
			return nil
		}
		err := s.write(ctx)
		p.mu.Lock()
		if err == nil {
			p.written++
		} else {
			p.keep(s)
		}
		p.mu.Unlock()
		if err != nil {
			return fmt.Errorf("ledger: write what is kept: %w", err)
		}
	}
}

// next takes out the first step that is not too old, or says once that there is none any more.
func (p *Patient) next() (step, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.kept) > 0 {
		s := p.take()
		if p.now().Sub(s.since) < Remembered {
			return s, true
		}
		p.lose()
	}
	if p.behind {
		p.log.Info("what attempts took is written down again", "steps", p.written, "lost", p.lost)
		p.behind, p.written, p.lost = false, 0, 0
	}
	return step{}, false
}
