// Package schedule is the second function of the chain, and where every policy decision is made: which target a request
// tries next, that it waits, that its answer is known already, or that it has failed.
//
// # What is decided
//
// A model is tried at its own targets, chosen by its strategy, then at those of its fallbacks; then, after a pause and if
// what failed may pass, again at those that were tried least. A group is tried as its members, in an order that is the
// message's own and follows their weights, and then as its fallbacks. A target whose breaker is open is passed over, and one
// whose breaker is half-open is offered a request now and then. When every target that may be tried is out, the request is
// parked until the earliest could be back, if its deadline allows.
//
// A canary takes its share of the messages whatever the weights. Other requests come to a healthy one only when nothing else
// is left at all: neither a stable target of the model nor a fallback, now or after a pause. So a canary that is measured is
// not measured by what others could not serve, and is not flooded by their outage. A target with a shadow takes copies only.
//
// A request that may be cached is answered from there, or leads the one call that equal requests wait for. A canary's answer
// is not kept, since it must be measured and may be withdrawn; nor is a fallback's, which is of another model. One that waits
// has half of the time to its deadline for it, and then makes its own call.
//
// A request whose tenant is gone from the configuration, or may no longer use the model, fails without a call.
//
// # Repeats
//
// What is drawn is drawn from the message and the attempt: an event that is handled twice finds the same shadow, the same
// order in a group, and by weighted the same target, as long as the configuration and the state of the targets are the same.
// least_latency and adaptive also follow what was measured meanwhile, and round_robin what else was decided: there a repeat
// may choose another target. Its event has the same id all the same. A transport that stores an id once keeps the first
// choice; with another, infer's lease on the id sees to it that the attempt is made once.
package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/hop"
)

// Health is what is known of the targets. A [*health.Board] is one. Status must answer from memory: it is asked for every
// target that a decision considers. It must be safe for concurrent calls.
type Health interface {
	Status(target string) health.Status
}

// Config of the function.
type Config struct {
	Catalog func() *catalog.Catalog // the configuration as it is now; called once an event
	Now     func() time.Time        // the only clock
	Health  Health                  // nil: every breaker is closed, and nothing was measured
	Answers Answers                 // nil: nothing is cached
	// Crowded reports whether so much waits for the target that each tenant is to wait apart, from memory; nil: never.
	Crowded func(t *catalog.Target, p events.Priority) bool
	Log     *slog.Logger // nil: nothing is logged
}

type function struct {
	Config
	strategies strategies
	offers     offers
	rooms      rooms
}

// New returns the function: it takes requested and attempt_failed, and emits scheduled, completed or failed, and beside it
// the failed attempt again for each receiver that wants to be told of it. It keeps, in memory, the turns of round_robin, the
// factors of adaptive, and when it last offered a request to a half-open target. It starts no goroutine.
func New(c Config) hop.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return (&function{Config: c}).handle
}

func (f *function) handle(ctx context.Context, in events.Event) ([]events.Event, error) {
	out, err := f.follow(ctx, in)
	if err != nil {
		return nil, err
	}
	return append(out, f.told(in)...), nil
}

// follow returns what follows from the event: how the request goes on, or how it ended.
func (f *function) follow(ctx context.Context, in events.Event) ([]events.Event, error) {
	now, cat := f.Now(), f.Catalog()
	if failure := over(cat, in, now); failure != nil {
		return f.fail(ctx, in, *failure, now)
	}
	room := f.rooms.take()
	defer f.rooms.put(room)
	p := f.policy(cat, in, now, room)
	if out, err := f.answered(ctx, p); out != nil || err != nil {
		return out, err
	}
	d := f.decide(p)
	switch {
	case d.failure != nil:
		return f.fail(ctx, in, *d.failure, now)
	case d.target == nil:
		f.keepLead(ctx, p)
		return nil, hop.Park(fmt.Errorf("schedule: %s waits: %s", in.ID, d.why), d.until)
	}
	out := in.Next(events.Schedule, events.Scheduled, in.Attempt+1, now)
	out.Target, out.NotBefore = d.target.Name, d.until
	out.Apart = f.Crowded != nil && in.Tenant != "" && f.Crowded(d.target, in.Priority)
	if d.apart {
		f.abandon(ctx, in)
		out.CacheKey = ""
	} else {
		f.keepLead(ctx, p)
	}
	if shadow := p.shadow(d.target); shadow != nil && f.takes(p, shadow) {
		return []events.Event{out, out.AsShadow(shadow.Name, shadowExpiry(in, now))}, nil
	}
	return []events.Event{out}, nil
}

// decide decides, and takes what the decision uses up: the turn of a half-open target. Where another request took that
// meanwhile, it decides again, which is bounded: what was taken stays so for a while, and the targets are few.
func (f *function) decide(p *policy) decision {
	for range 3 {
		if d := p.decide(); d.target == nil || f.takes(p, d.target) {
			return d
		}
	}
	return decision{until: p.soon(), why: "others went first to what is half-open"}
}

// takes reports whether the request may go to the target now, and takes the turn if it needs one.
func (f *function) takes(p *policy, t *catalog.Target) bool {
	return p.standing(t).reach != probing || f.offers.take(t.Name, p.now)
}

// policy returns what decides about the event.
func (f *function) policy(cat *catalog.Catalog, in events.Event, now time.Time, r *room) *policy {
	p := &policy{catalog: cat, model: cat.Models[in.Model], in: in, now: now, offers: &f.offers, room: r, log: f.Log}
	p.status = func(string) health.Status { return health.Status{} }
	if f.Health != nil {
		p.status = f.Health.Status
	}
	p.strategies = &f.strategies
	p.line, p.fallbacks = line(cat, p.model, in.Subject, r.line[:0])
	r.line = p.line
	f.offers.heed(p)
	return p
}

// fail returns the terminal event of a request that nothing more is tried for, and abandons the flight that it may lead.
func (f *function) fail(ctx context.Context, in events.Event, why events.ResultError, now time.Time) ([]events.Event, error) {
	out, err := failed(in, why, now)
	if err != nil {
		return nil, err
	}
	f.abandon(ctx, in)
	return []events.Event{out}, nil
}

// failed returns the terminal event of a request that failed.
func failed(in events.Event, why events.ResultError, now time.Time) (events.Event, error) {
	r, err := request(in)
	if err != nil {
		return events.Event{}, err
	}
	data, err := events.Result{
		MessageID: in.Subject, RequestID: r.RequestID, Status: events.StatusFailed, ModelID: in.Model, Target: in.Target,
		Attempts: in.Begun, Error: &why, Metadata: r.Metadata, Timings: timings(in, now),
	}.Encode()
	if err != nil {
		return events.Event{}, err
	}
	out := in.Next(events.Schedule, events.Failed, in.Attempt, now)
	out.ErrorCode, out.Data = why.Code, data
	return out, nil
}

func request(in events.Event) (events.Request, error) {
	var r events.Request
	if err := json.Unmarshal(in.Data, &r); err != nil {
		return r, hop.Reject(events.ReasonUndecodable, fmt.Errorf("schedule: decode request: %w", err))
	}
	return r, nil
}

// timings returns those of a request that ends here: all of its time was spent waiting.
func timings(in events.Event, now time.Time) events.Timings {
	return events.Timings{AcceptedAt: in.Accepted, CompletedAt: now, QueueMS: max(now.Sub(in.Accepted).Milliseconds(), 0)}
}
