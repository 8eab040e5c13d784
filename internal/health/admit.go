package health

import (
	"context"
	"fmt"
	"time"
)

// Admit is asked before a call: ok if it may be made, and probe if it is then one of the few that see whether the target is
// well again. A closed breaker admits every call, an open one and a canary that was rolled back none, and a half-open one a
// probe at a time, over all processes.
//
// Only for a half-open breaker it asks the store, and no longer than ctx allows; where that is away, each process has a probe
// of its own. Whoever got a probe must [Board.Report] it, also when no call came of it.
func (b *Board) Admit(ctx context.Context, target string) (probe, ok bool) {
	now := b.now()
	b.mu.Lock()
	e := b.entry(target)
	state := e.view.Breaker.state(now)
	b.show(e, now)
	if state != HalfOpen || e.rolledBack() || !e.slot.free(now, b.synced) {
		ok := state == Closed && !e.rolledBack()
		b.mu.Unlock()
		return false, ok
	}
	e.slot = slot{held: true, since: now, renewed: now}
	alone, base := b.alone(), e.view
	b.mu.Unlock()

	if !alone {
		switch got, stands := b.take(ctx, target, base); {
		case !got:
			b.mu.Lock()
			e.slot = slot{again: now.Add(probeWait)}
			b.mu.Unlock()
			return false, stands.Breaker.state(now) == Closed
		default:
			base = stands
		}
	}
	if base.Breaker.Passed == 0 {
		b.log([]note{{target, change{from: Open, to: HalfOpen, at: now, reason: "it is probed"}}})
	}
	return true, true
}

// take takes the target's slot in the store. It returns the shared record if this process did not know it: known while it
// can be had, since another's probe may have ended before this process heard of it.
func (b *Board) take(ctx context.Context, target string, known record) (got bool, stands record) {
	now := b.now()
	mine, err := b.c.Store.Probe(ctx, target, b.holder, now, probeTTL)
	switch {
	case err != nil:
		return ctx.Err() == nil, known
	case !mine:
		return false, known
	}
	kept, err := b.c.Store.Read(ctx, []string{target}, now)
	if err != nil {
		return ctx.Err() == nil, known
	}
	fresh, err := decode(kept[0], now)
	if err != nil || len(kept[0]) == 0 || fresh.Breaker.state(now) == HalfOpen {
		return true, known
	}
	b.hurry()
	_ = b.c.Store.Release(ctx, target, b.holder) // it expires soon
	return false, fresh
}

// free reports whether this process may ask for the slot. The slot of a probe that is over is kept for the sync that tells
// how it ended, unless none was begun for so long that none is to be waited for: this process knows how it ended.
func (s *slot) free(now, synced time.Time) bool {
	switch {
	case s.held && s.spent:
		return now.Sub(synced) > syncWait
	case s.held:
		return now.Sub(s.since) > longestProbe
	default:
		return !now.Before(s.again)
	}
}

// keep renews or gives back the slots that this process holds. Those whose probe is over were told of in the shares that are
// done.
func (b *Board) keep(ctx context.Context, shares []*share) error {
	for _, s := range shares {
		var err error
		switch {
		case s.release && s.done:
			err = b.c.Store.Release(ctx, s.target, b.holder)
		case s.renew:
			_, err = b.c.Store.Probe(ctx, s.target, b.holder, b.now(), probeTTL)
		default:
			continue
		}
		b.mu.Lock()
		if e := b.entry(s.target); s.release {
			e.slot = slot{} // if the store has not heard, it expires there
		} else if err == nil {
			e.slot.renewed = b.now()
		}
		b.mu.Unlock()
		if err != nil {
			return fmt.Errorf("health: keep probe slot of %s: %w", s.target, err)
		}
	}
	return nil
}

// resign gives back every slot that this process holds, at its end.
func (b *Board) resign(ctx context.Context) {
	b.mu.Lock()
	var held []string
	for name, e := range b.targets {
		if e.slot.held && b.c.Store != nil {
			held = append(held, name)
		}
	}
	b.mu.Unlock()
	for _, name := range held {
		_ = b.c.Store.Release(ctx, name, b.holder) // it expires soon
	}
}

// due reports whether the store is to hear of the slot again.
func (s *slot) due(now time.Time) bool {
	return s.held && !s.spent && now.Sub(s.renewed) >= probeTTL/3 && now.Sub(s.since) <= longestProbe
}
