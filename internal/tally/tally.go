// Package tally is how many requests of a tenant are accepted and have not ended, over all processes that take them in, and
// the bound of that: a tenant that sends faster than its work is done is told so, before it fills the queues of all.
//
// A request enters before it is accepted and leaves when it has ended or was canceled. Every entry expires by itself at the
// request's deadline, and a tenant that is full is looked at closely: entries of requests that have ended, whose leaving was
// lost with a process or while the store was away, are taken out. So a tenant is not refused for what has ended.
//
// The entries are kept in a [Store]. It is an accelerator: while it is away, or where there is none, requests enter all the
// same, and each process bounds what it sees itself. It hears only of the ends that come to pass in it, and learns of the
// others by looking when the tenant is full.
package tally

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/results"
)

// Entry is what became of an entering.
type Entry int

// The outcomes of entering.
const (
	Full    Entry = iota // as many as may be are there: it did not enter
	Present              // it was there before, or its tenant is not counted
	Entered              // it entered
)

// Store keeps who is in, by tenant. Each method is one atomic step. It must be safe for concurrent use.
type Store interface {
	// Enter puts the request in until it leaves or expires, if fewer than most are there that have not expired. One that
	// is in already stays, however many there are, and its expiry becomes the later of the two.
	Enter(ctx context.Context, tenant, id string, most int, now, expires time.Time) (Entry, error)
	// Leave takes the requests out. One that is not in is no error.
	Leave(ctx context.Context, tenant string, ids ...string) error
	// Count returns how many are in that have not expired.
	Count(ctx context.Context, tenant string, now time.Time) (int, error)
	// Sample returns some of those that are in, n at most. Who asks again and again is told of each some time.
	Sample(ctx context.Context, tenant string, n int) ([]string, error)
}

// Config is what a [Tally] is made of.
type Config struct {
	Store Store // nil: this process alone
	// Results says which requests have ended, for the tenants that are full. Nil: entries only leave and expire.
	Results *results.Store
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // says when the store went away and came back; nil: nothing is logged
}

// Tally counts the requests of tenants that have a bound. It is safe for concurrent use.
type Tally struct {
	cfg   Config
	local *Memory
	looks looks
	away  atomic.Bool
}

// alone is how long a process keeps an entry that it counts alone: the request may end in another process, which then cannot
// say so. A minute is longer than most requests take.
const alone = time.Minute

// New returns a tally.
func New(cfg Config) *Tally {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Tally{cfg: cfg, local: NewMemory()}
}

// Enter counts a request of the tenant that expires at the time, unless the tenant is full. It is idempotent. A tenant is not
// full of whom all that were looked at have ended, nor one that this process counts alone and of whom nothing can be learned:
// their requests are let in without being counted.
func (t *Tally) Enter(ctx context.Context, tenant *catalog.Tenant, messageID string, expires time.Time) Entry {
	if tenant.Queued <= 0 {
		return Present
	}
	r := request{tenant.Name, messageID, tenant.Queued, t.cfg.Now(), expires}
	if t.cfg.Store != nil {
		entry, err := t.enter(ctx, t.cfg.Store, r)
		t.note(ctx, err)
		if err == nil {
			return entry
		}
		if last := r.now.Add(alone); expires.After(last) {
			r.expires = last
		}
	}
	entry, _ := t.enter(ctx, t.local, r) // which does not fail
	return entry
}

// request is one that is to enter.
type request struct {
	tenant, id   string
	most         int
	now, expires time.Time
}

// enter enters the request in the store, and makes room there of what has ended. Where ctx is done before that is known,
// nothing is said against the request: it comes to its end by ctx.
func (t *Tally) enter(ctx context.Context, s Store, r request) (Entry, error) {
	entry, err := s.Enter(ctx, r.tenant, r.id, r.most, r.now, r.expires)
	if err != nil || entry != Full || t.cfg.Results == nil {
		return entry, err
	}
	l := t.looks.of(r.tenant)
	select {
	case <-ctx.Done():
		return Present, nil
	case <-l.turn:
	}
	defer func() { l.turn <- struct{}{} }()
	found := freed
	for range rounds {
		// Whoever looked before may have made room for more than itself.
		if entry, err = s.Enter(ctx, r.tenant, r.id, r.most, r.now, r.expires); err != nil || entry != Full {
			return entry, err
		}
		found = t.heal(ctx, s, l, r)
		if found == unknown && s == Store(t.local) {
			return Present, nil // what is counted may long have ended elsewhere
		}
		if ctx.Err() != nil {
			return Present, nil
		}
		if found == busy || found == unknown {
			return Full, nil
		}
	}
	entry, err = s.Enter(ctx, r.tenant, r.id, r.most, r.now, r.expires)
	if err == nil && entry == Full && found == allOver { // the bound was lowered, or others were faster
		return Present, nil
	}
	return entry, err
}

// Leave counts a request no more. It is idempotent, and never fails: an entry that cannot be taken out now is found when the
// tenant is full, or expires.
func (t *Tally) Leave(ctx context.Context, tenant *catalog.Tenant, messageID string) {
	if tenant.Queued <= 0 {
		return
	}
	t.local.leave(tenant.Name, messageID)
	if t.cfg.Store != nil {
		t.note(ctx, t.cfg.Store.Leave(ctx, tenant.Name, messageID))
	}
}

// Ended counts the request of a completed or failed event no more. It is for whoever has written down that the request ended,
// to call after that: a repeat of the request that comes meanwhile would else stay in.
func (t *Tally) Ended(ctx context.Context, c *catalog.Catalog, e events.Event) {
	tenant, ok := c.Tenants[e.Tenant]
	if !ok || e.Type != events.Completed && e.Type != events.Failed {
		return
	}
	t.Leave(ctx, tenant, e.Subject)
}

// note logs the store's going and coming, once each.
func (t *Tally) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // the caller is gone, which says nothing of the store
	}
	switch {
	case err != nil && t.away.CompareAndSwap(false, true):
		t.cfg.Log.Warn("queued requests are counted by each process alone", "error", err)
	case err == nil && t.away.CompareAndSwap(true, false):
		t.cfg.Log.Info("queued requests are counted together again")
	default:
	}
}
