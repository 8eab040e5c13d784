package tally

import (
	"context"
	"errors"
	"sync"
	"time"

	"baton.dev/baton/internal/results"
)

const (
	// sampled is how many of a full tenant's requests are looked up at a time.
	sampled = 32
	// rounds is how often they are for one that wants to enter.
	rounds = 4
	// pause is how long nobody looks again after a look that freed nothing. So a tenant that is full indeed costs each
	// process little, and one whose requests have ended is refused for no longer.
	pause = time.Second
	// silent is how many look-ups that fail say that none will succeed.
	silent = 3
)

// finding is what came of a look at those who are in.
type finding int

const (
	busy    finding = iota // requests are under way
	freed                  // some had ended, and were taken out
	allOver                // all had ended, and were taken out
	unknown                // nothing could be learned of any
)

// look is what was last found of one tenant. One looks at a time, whose finding serves those that wait for their turn.
type look struct {
	turn    chan struct{} // is in it while nobody looks
	finding finding
	until   time.Time // that it stands
}

// looks are those of all tenants. The zero value is ready to use. It is safe for concurrent use.
type looks struct{ byTenant sync.Map }

func (l *looks) of(tenant string) *look {
	one, known := l.byTenant.Load(tenant)
	if !known {
		fresh := &look{turn: make(chan struct{}, 1)}
		fresh.turn <- struct{}{}
		one, _ = l.byTenant.LoadOrStore(tenant, fresh)
	}
	return one.(*look) //nolint:forcetypeassert // there are no others
}

// heal takes out entries of requests that have ended, unless that was tried in vain a moment ago. It is the caller's turn.
func (t *Tally) heal(ctx context.Context, s Store, l *look, r request) finding {
	if r.now.Before(l.until) {
		return l.finding
	}
	l.finding = t.examine(ctx, s, r.tenant)
	if ctx.Err() == nil && (l.finding == busy || l.finding == unknown) {
		l.until = r.now.Add(pause)
	}
	return l.finding
}

// examine looks up some of those who are in, and takes out who has ended.
func (t *Tally) examine(ctx context.Context, s Store, tenant string) finding {
	ids, err := s.Sample(ctx, tenant, sampled)
	if err != nil {
		return unknown
	}
	var ended []string
	failed := 0
	for _, id := range ids {
		standing, err := t.cfg.Results.Look(ctx, id)
		switch {
		case errors.Is(err, results.ErrNotFound):
			// It entered and was not accepted: perhaps it is about to be.
		case err != nil:
			failed++
		case standing.Terminal():
			ended = append(ended, id)
		}
		if failed == silent {
			break
		}
	}
	switch {
	case len(ids) == 0:
		return freed // by themselves
	case len(ended) == 0 && failed > 0 && failed == min(len(ids), silent):
		return unknown
	case len(ended) == 0 || s.Leave(ctx, tenant, ended...) != nil:
		return busy
	case len(ended) == len(ids):
		return allOver
	default:
		return freed
	}
}
