package intake

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/problem"
)

// Outcome is what became of a message. The set is closed.
type Outcome string

// The outcomes.
const (
	Accepted Outcome = "accepted" // the request is stored
	Refused  Outcome = "refused"  // a dead letter is
	Returned Outcome = "returned" // the message comes again
)

// Taken is a message that was taken.
type Taken struct {
	Kind, Tenant string // Kind is empty for a batch
	MessageID    string // of the request; empty unless it was accepted
	Outcome      Outcome
	Reason       string        // the word of the problem; empty when accepted
	After        time.Duration // of a returned message
}

const (
	// settleTimeout bounds the settling of a message, and the storing of a dead letter. It goes on through a drain.
	settleTimeout = 10 * time.Second
	// againAtMost bounds what the door asks for: a budget may be spent for weeks, and the configuration change meanwhile.
	againAtMost = 15 * time.Minute
	// faultsAtMost is how often a message that meets a fault of ours is handed out before it is given up.
	faultsAtMost = 20
)

// Take takes one message of the tenant to its outcome, and settles it.
func (t *Taker) Take(ctx context.Context, kind, tenant string, d Delivery) Taken {
	taken := Taken{Kind: kind, Tenant: tenant}
	of := t.cfg.Catalog().Tenants[tenant]
	if of == nil {
		taken.Outcome, taken.Reason, taken.After = Returned, "no-tenant", t.cfg.Again.Delay(d.Number-1, d.ID)
		t.giveBack(ctx, d, taken)
		return t.report(taken, d)
	}
	rc, p := t.cfg.Door.TakeEvent(ctx, of, d.Arrival)
	switch {
	case p == nil:
		taken.Outcome, taken.MessageID = Accepted, rc.MessageID
		t.acknowledge(ctx, d)
		return t.report(taken, d)
	case passing(p, d.Number):
		taken.Outcome = Returned
	default:
		taken.Outcome = Refused
	}
	taken.Reason = strings.TrimPrefix(p.Type, problem.TypePrefix)
	if taken.Outcome == Refused {
		if err := t.bury(ctx, of, d, p); err != nil {
			t.cfg.Log.Warn("dead letter not stored; the message comes again", "place", d.Where, "tenant", tenant, "error", err)
			taken.Outcome = Returned
		} else {
			t.acknowledge(ctx, d)
		}
	}
	if taken.Outcome == Returned {
		taken.After = max(named(p), t.cfg.Again.Delay(d.Number-1, d.ID))
		t.giveBack(ctx, d, taken)
	}
	return t.report(taken, d)
}

// passing reports whether the message may be taken another time. A fault of ours may pass with what caused it; one that
// does not, after many times, is the message's.
func passing(p *problem.Problem, number int) bool {
	if p.Status == http.StatusInternalServerError {
		return number < faultsAtMost
	}
	return p.Status == http.StatusTooManyRequests || p.Status > http.StatusInternalServerError
}

// named returns the delay that the problem names, within bounds; 0: none.
func named(p *problem.Problem) time.Duration {
	seconds, err := strconv.Atoi(p.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, int(againAtMost/time.Second))) * time.Second
}

func (t *Taker) acknowledge(ctx context.Context, d Delivery) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err := d.Ack(ctx); err != nil {
		t.cfg.Log.Warn("message not settled; it comes again, as the same request", "place", d.Where, "error", err)
	}
}

func (t *Taker) giveBack(ctx context.Context, d Delivery, taken Taken) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err := d.Return(ctx, taken.After); err != nil {
		t.cfg.Log.Warn("message not given back; its lease runs out", "place", d.Where, "error", err)
	}
}

func (t *Taker) report(taken Taken, d Delivery) Taken {
	log := t.cfg.Log.With("place", d.Where, "tenant", taken.Tenant, "number", d.Number)
	switch taken.Outcome {
	case Refused:
		log.Warn("message refused; a dead letter says why", "reason", taken.Reason)
	case Returned:
		log.Debug("message given back", "reason", taken.Reason, "after", taken.After)
	case Accepted:
		log.Debug("message accepted", "message_id", taken.MessageID)
	}
	t.cfg.Observe(taken)
	return taken
}

// ErrNoTenant says that nobody takes what comes from a place.
var ErrNoTenant = errors.New("intake: no tenant takes requests from there")

// Batch takes messages that were pushed to this process together, and returns what became of each, in their order. wanted
// says whether the tenant still takes what comes from there; if not, every message is given back.
func (t *Taker) Batch(ctx context.Context, tenant string, wanted func(*catalog.Tenant) bool, list []Delivery) ([]Taken, error) {
	of := t.cfg.Catalog().Tenants[tenant]
	if of == nil || !wanted(of) {
		return nil, ErrNoTenant
	}
	all := make([]Taken, len(list))
	places := make(chan struct{}, t.cfg.AtOnce)
	var wg sync.WaitGroup
	for i, d := range list {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			all[i] = t.Take(ctx, "", tenant, d)
		})
	}
	wg.Wait()
	return all, nil
}
