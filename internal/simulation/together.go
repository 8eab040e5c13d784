package simulation

import (
	"context"
	"errors"
	"time"

	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/bulkhead"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/shared"
	"baton.dev/baton/internal/tally"
)

// common is what processes share beside the transport and the results. In production it is in Redis, which may be away.
type common struct {
	leases  *lease.Memory
	places  *bulkhead.Memory
	health  *health.Memory
	answers *answers.Memory
	ledger  *ledger.Memory
	limits  *limit.Memory
	tally   *tally.Memory
	away    time.Time // until then
}

func newCommon() *common {
	return &common{
		leases: lease.NewMemory(), places: bulkhead.NewMemory(), health: health.NewMemory(), answers: answers.NewMemory(),
		ledger: ledger.NewMemory(), limits: limit.NewMemory(), tally: tally.NewMemory(),
	}
}

// stores returns the stores of all of it, as a process sees them.
func (p *process) stores() shared.Stores {
	return shared.Stores{
		Leases: leases{p}, Places: places{p}, Health: records{p}, Answers: kept{p}, Ledger: accounts{by: p}, Limits: limits{p},
		Tally: tallies{p},
	}
}

var errAway = errors.New("simulation: what is shared is away")

// share takes a step of what is shared, as an effect. What it is about may miss what the step would have told it, where it
// fails; blind notes that.
func share[T any](ctx context.Context, by *process, step, about string, do func() (T, error)) (T, error) {
	w := by.world
	var result T
	err := w.await(ctx, &effect{by: by, kind: Share, subject: step + " " + about, do: func() (err error) {
		if time.Now().Before(w.common.away) {
			w.notef("away")
			return errAway
		}
		result, err = do()
		return err
	}})
	if err != nil {
		if !errors.Is(err, errGone) && !errors.Is(err, answers.ErrNotFound) {
			w.blind(about)
		}
		var none T
		return none, err
	}
	return result, nil
}

// done is for a step that returns nothing.
func done(err error) (struct{}, error) { return struct{}{}, err }

// leases is [lease.Store] as a process sees it.
type leases struct{ by *process }

func (l leases) Acquire(ctx context.Context, key string, now time.Time, ttl time.Duration) (lease.Grant, error) {
	w := l.by.world
	return share(ctx, l.by, "acquire", key, func() (lease.Grant, error) {
		g, err := w.common.leases.Acquire(ctx, key, now, ttl)
		l.by.tokens[key] = g.Token
		switch {
		case g.Outcome != nil:
			w.notef("was finished")
		case g.Token == 0:
			w.notef("is held")
		}
		return g, err
	})
}

func (l leases) Renew(ctx context.Context, key string, token int64, now time.Time, ttl time.Duration) (bool, error) {
	w := l.by.world
	ours, err := share(ctx, l.by, "renew", key, func() (bool, error) {
		ours, err := w.common.leases.Renew(ctx, key, token, now, ttl)
		if !ours {
			w.notef("was lost")
		}
		return ours, err
	})
	if err == nil && !ours {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.succeeded = append(w.succeeded, &call{by: l.by, event: key, token: token})
	}
	return ours, err
}

func (l leases) Finish(
	ctx context.Context, key string, token int64, now time.Time, outcome []byte, keep time.Duration,
) (bool, error) {
	w := l.by.world
	return share(ctx, l.by, "finish", key, func() (bool, error) {
		ok, err := w.common.leases.Finish(ctx, key, token, now, outcome, keep)
		if !ok {
			w.notef("was lost")
		}
		return ok, err
	})
}

// places is [bulkhead.Store] as a process sees it.
type places struct{ by *process }

func (p places) Enter(ctx context.Context, target, id string, most int, now time.Time, ttl time.Duration) (bool, error) {
	w := p.by.world
	return share(ctx, p.by, "enter "+target, id, func() (bool, error) {
		ok, err := w.common.places.Enter(ctx, target, id, most, now, ttl)
		if !ok {
			w.notef("is full")
		}
		return ok, err
	})
}

func (p places) Stay(ctx context.Context, target, id string, now time.Time, ttl time.Duration) error {
	_, err := share(ctx, p.by, "stay "+target, id, func() (struct{}, error) {
		return done(p.by.world.common.places.Stay(ctx, target, id, now, ttl))
	})
	return err
}

func (p places) Leave(ctx context.Context, target, id string) error {
	_, err := share(ctx, p.by, "leave "+target, id, func() (struct{}, error) {
		return done(p.by.world.common.places.Leave(ctx, target, id))
	})
	return err
}

// records is [health.Store] as a process sees it.
type records struct{ by *process }

func (r records) Read(ctx context.Context, targets []string, now time.Time) ([][]byte, error) {
	return share(ctx, r.by, "read", "health", func() ([][]byte, error) {
		return r.by.world.common.health.Read(ctx, targets, now)
	})
}

func (r records) Swap(ctx context.Context, changes []health.Change, now time.Time, ttl time.Duration) ([][]byte, error) {
	return share(ctx, r.by, "swap", "health", func() ([][]byte, error) {
		return r.by.world.common.health.Swap(ctx, changes, now, ttl)
	})
}

func (r records) Probe(ctx context.Context, target, holder string, now time.Time, ttl time.Duration) (bool, error) {
	return share(ctx, r.by, "probe", target, func() (bool, error) {
		return r.by.world.common.health.Probe(ctx, target, holder, now, ttl)
	})
}

func (r records) Release(ctx context.Context, target, holder string) error {
	_, err := share(ctx, r.by, "release", target, func() (struct{}, error) {
		return done(r.by.world.common.health.Release(ctx, target, holder))
	})
	return err
}

// kept is [answers.Store] as a process sees it.
type kept struct{ by *process }

func (k kept) Get(ctx context.Context, key string) ([]byte, error) {
	return share(ctx, k.by, "get", key, func() ([]byte, error) { return k.by.world.common.answers.Get(ctx, key) })
}

func (k kept) Put(ctx context.Context, key string, value []byte, now time.Time, ttl time.Duration) error {
	_, err := share(ctx, k.by, "put", key, func() (struct{}, error) {
		return done(k.by.world.common.answers.Put(ctx, key, value, now, ttl))
	})
	return err
}

func (k kept) Lead(ctx context.Context, key, holder string, now time.Time, ttl time.Duration) (string, error) {
	w := k.by.world
	return share(ctx, k.by, "lead", key, func() (string, error) {
		leader, err := w.common.answers.Lead(ctx, key, holder, now, ttl)
		w.notef("%s leads", leader)
		return leader, err
	})
}

func (k kept) Widen(ctx context.Context, key, holder string, width int, now time.Time, ttl time.Duration) error {
	w := k.by.world
	_, err := share(ctx, k.by, "widen", key, func() (struct{}, error) {
		w.notef("for %s, to %d", holder, width)
		w.landed[holder] = true
		if q := w.requests[holder]; q != nil {
			w.widened[w.question(holder, q.asked())] = true
		}
		return done(w.common.answers.Widen(ctx, key, holder, width, now, ttl))
	})
	return err
}

func (k kept) Land(ctx context.Context, key, holder string) error {
	_, err := share(ctx, k.by, "land", key, func() (struct{}, error) {
		k.by.world.landed[holder] = true
		return done(k.by.world.common.answers.Land(ctx, key, holder))
	})
	return err
}
