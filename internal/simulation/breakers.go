package simulation

import (
	"context"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/health"
)

// watched is the board of a process with somebody beside it who keeps count of his own: when a breaker must be open, by what
// ARCHITECTURE says of breakers and not by their code. He knows no more than what this process saw.
type watched struct {
	board   *health.Board
	by      *process
	targets map[string]*sight
}

// sight is what he has seen of a target.
type sight struct {
	streak int       // failures in a row since the breaker was last seen to close
	closed time.Time // when that was
	shut   time.Time // no call but probes before this
	why    string
}

// inARow is how many failures, one after the other, open a breaker; atLeast is how long it is open then, at least.
const (
	inARow  = 5
	atLeast = 4 * time.Second
)

// watch returns somebody who watches the board of a process. Where there are several, the others may have seen that a target
// is well again, which he does not know: then he only holds targets to their own word.
func (w *World) watch(p *process) *watched { return &watched{by: p, targets: map[string]*sight{}} }

// moved is told that a breaker moved.
func (b *watched) moved(target string, _, to health.State) {
	if to != health.Closed {
		return
	}
	b.by.mu.Lock()
	defer b.by.mu.Unlock()
	s := b.of(target)
	*s = sight{closed: time.Now(), shut: s.shut, why: s.why}
}

func (b *watched) of(target string) *sight {
	s, ok := b.targets[target]
	if !ok {
		s = &sight{closed: b.by.world.began.Add(-time.Second)}
		b.targets[target] = s
	}
	return s
}

// Admit implements [infer.Health].
func (b *watched) Admit(ctx context.Context, target string) (probe, ok bool) {
	now, w := time.Now(), b.by.world
	before := b.board.Status(target).State
	probe, ok = b.board.Admit(ctx, target)
	b.by.mu.Lock()
	defer b.by.mu.Unlock()
	if alone := len(w.processes) == 1 && w.lives == 1; alone && before == health.HalfOpen && ok && !probe {
		w.suspectf(breakerHolds, "", "%s is half-open and is called by %s, and no probe", target, b.by.name)
	}
	if s := b.of(target); ok && !probe && now.Before(s.shut) && !w.queue.isGone(b.by) {
		w.suspectf(breakerHolds, "", "%s is called by %s, and no probe, %v before its breaker may close: %s",
			target, b.by.name, s.shut.Sub(now), s.why)
	}
	return probe, ok
}

// Report implements [infer.Health].
func (b *watched) Report(o health.Outcome) {
	b.by.mu.Lock()
	b.see(o, time.Now())
	b.by.mu.Unlock()
	b.board.Report(o)
}

func (b *watched) see(o health.Outcome, now time.Time) {
	s := b.of(o.Target)
	switch o.Code {
	case events.CodeRateLimited, events.CodeQuotaExhausted, events.CodeUnavailable:
		if o.RetryAt.After(s.shut) {
			s.shut, s.why = o.RetryAt, "it asked to be left alone: "+o.Code
		}
	}
	if len(b.by.world.processes) > 1 || now.Add(-o.Latency).Before(s.closed) {
		return
	}
	switch o.Code {
	case "":
		s.streak = 0
	case events.CodeTimeout, events.CodeUnreachable, events.CodeUnavailable, events.CodeRateLimited, events.CodeQuotaExhausted,
		events.CodeUnauthorized, events.CodeUnknownModel, events.CodeUnusableOutput:
		s.streak++
	default: // it says nothing of the target
		return
	}
	if s.streak == inARow && now.Add(atLeast).After(s.shut) {
		s.shut, s.why = now.Add(atLeast), "five failures in a row"
	}
}
