package lease

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Config is what [Leases] is made of.
type Config struct {
	Store Store         // where leases are kept; required
	TTL   time.Duration // how long a lease lasts that is not renewed; default 30 s
	Keep  time.Duration // how long an outcome is kept; default 10 min, a good deal longer than a transport takes to repeat
}

// Leases takes leases and keeps them while their holders work. It is safe for concurrent use.
type Leases struct {
	store     Store
	ttl, keep time.Duration
}

// New returns leases from the store.
func New(c Config) (*Leases, error) {
	switch {
	case c.Store == nil:
		return nil, errors.New("lease: no store")
	case c.TTL < 0 || c.Keep < 0:
		return nil, errors.New("lease: a negative time")
	}
	l := &Leases{c.Store, c.TTL, c.Keep}
	if l.ttl == 0 {
		l.ttl = 30 * time.Second
	}
	if l.keep == 0 {
		l.keep = 10 * time.Minute
	}
	return l, nil
}

// Hold takes the lease of the key. If it is granted, the grant has a token, and held keeps the lease until it is finished
// or ctx is done. Otherwise held is nil, and the grant says until when another holds it or what the outcome was.
//
// An error means that the store cannot say. Whether the work is done all the same is the caller's to decide; one that goes
// on holds the lease of Leases over a [Memory] instead, which at least keeps two workers of one process apart.
func (l *Leases) Hold(ctx context.Context, key string) (held *Held, grant Grant, err error) {
	asked := time.Now()
	grant, err = l.store.Acquire(ctx, key, asked, l.ttl)
	if err != nil {
		return nil, Grant{}, fmt.Errorf("lease: acquire %s: %w", key, err)
	}
	if grant.Token == 0 {
		return nil, grant, nil
	}
	held = &Held{leases: l, key: key, token: grant.Token, renewed: make(chan struct{})}
	held.ctx, held.cancel = context.WithCancelCause(ctx)
	go held.renew(asked)
	return held, grant, nil
}

// Held is a lease that is kept. Its methods are safe for concurrent use. It must be finished, or its context done.
type Held struct {
	leases  *Leases
	key     string
	token   int64
	ctx     context.Context //nolint:containedctx // it is the lease's own, which ends with it, as a request's is
	cancel  context.CancelCauseFunc
	renewed chan struct{} // closed when renewing has ended
}

// Context returns the context to work in: that of Hold, ended with [ErrLost] as its cause when the store says that the lease
// is another's. A store that is away ends nothing, however long it is: work under way may be paid for, and mostly it is away
// for the others too, so that nobody can take the lease. Where this holder alone cannot reach it another may, and then the
// work is done twice, of which Finish takes one.
func (h *Held) Context() context.Context { return h.ctx }

// Finish ends the lease and hands in the outcome, which is kept; nil frees the key, for the work to be done again. It
// returns false if another came after this holder: what it did counts for nothing, and must not be told. The lease is
// renewed no more, and Context ends, whatever Finish returns; after an error it may be called again.
func (h *Held) Finish(ctx context.Context, outcome []byte) (bool, error) {
	h.cancel(nil)
	<-h.renewed
	ok, err := h.leases.store.Finish(ctx, h.key, h.token, time.Now(), outcome, h.leases.keep)
	if err != nil {
		return false, fmt.Errorf("lease: finish %s: %w", h.key, err)
	}
	return ok, nil
}

// renew renews the lease, for which the store was asked at the given time, each time a third of its time to live has passed,
// so that one renewal that is lost costs nothing, and more often while the store is away. It asks for as long as the work
// takes: a lease that ran out is still its holder's if nobody took it, be it that the store was away or that this process
// stood still.
func (h *Held) renew(asked time.Time) {
	defer close(h.renewed)
	ttl := h.leases.ttl
	pause := time.NewTimer(time.Until(asked.Add(ttl / 3)))
	defer pause.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-pause.C:
		}
		asked = time.Now()
		ctx, cancel := context.WithTimeout(h.ctx, ttl/3)
		ours, err := h.leases.store.Renew(ctx, h.key, h.token, asked, ttl)
		cancel()
		switch {
		case err != nil:
			pause.Reset(ttl / 10)
		case !ours:
			h.cancel(ErrLost)
			return
		default:
			pause.Reset(time.Until(asked.Add(ttl / 3)))
		}
	}
}
