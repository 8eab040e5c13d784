// Package infer is the function of the chain that calls models: it takes scheduled, makes exactly one attempt at exactly
// one target, and emits completed, or attempt_failed for schedule to decide what follows. It decides nothing about tries
// itself.
//
// An attempt that is delivered twice is made once. These are its steps, and what a crash between two of them means:
//
//	(1) take the lease     who finds it held parks the event; who finds the outcome emits it again, without a call.
//	                       A crash after it: the lease runs out, the repeat takes it.
//	(2) admit              breaker, place at the target, budget, deadline; a refusal is an attempt_failed that was not begun.
//	                       A crash after it: what was reserved stays so, and counts as spent.
//	(3) prepare            what the request refers to is there, and images are fetched. Where it is not, what was reserved is
//	                       released, and the attempt is refused or waits, not begun.
//	(4) claim the run      durable, once, right before the first call: a request that was canceled, or another run of it, ends
//	                       here. What has not been called can be canceled, however often it was bounced.
//	(5) call               A crash in it or after it: the model may have been paid, and the repeat calls again under the same
//	                       idempotency key. What was reserved stays reserved until then: it is counted once.
//	(6) finish the lease   with the outcome, by its fencing token: a worker that stalled and was succeeded is refused here
//	                       and emits nothing. A crash after it: the repeat finds the outcome.
//	(7) keep the answer    for equal requests
//	(8) emit               by the runtime, before the input is acknowledged
//
// The lease, the places, the breakers and the answers are shared through stores that may be away. Then each process goes on
// with what it sees itself; only what a tenant with a budget asks for waits.
package infer

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
	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/tokens"
)

// Models calls models.
//
// Call makes exactly one call. Its error is, or wraps, a [*model.Error] when the call came to nothing, and any other error
// when nothing can be said about the target. Call must be safe for concurrent use and return promptly when ctx is done.
type Models interface {
	Call(ctx context.Context, call model.Call) (model.Answer, error)
}

// Results is where the run of a request is claimed. A [*results.Store] is one.
//
// Begin returns what decided: b if this call was the first for the message, and otherwise what was written before. Ended
// returns how the request ended, and Begun what was written of its beginning, or [results.ErrNotFound]. All must be safe for
// concurrent use.
type Results interface {
	Begin(ctx context.Context, messageID string, b results.Beginning) (results.Beginning, error)
	Begun(ctx context.Context, messageID string) (results.Beginning, error)
	Ended(ctx context.Context, messageID string) (results.Ending, error)
}

// defaultMaxResult keeps a completed event, with its headers, below the 1 MiB that NATS takes by default (max_payload).
const defaultMaxResult = 900 << 10

// Config is what the function needs. The fields that are not marked are required.
type Config struct {
	Catalog func() *catalog.Catalog // the configuration as it is now; called once an event
	Models  Models
	Results Results

	// Leases keep an attempt to one worker at a time; nil: to one of this process. A [*lease.Leases] is one.
	Leases Leases
	// Health knows which targets to leave alone, and learns how attempts end; nil: none. A [*health.Board] is one.
	Health Health
	// Places bound the calls of a target at once; nil: nothing does. A [*bulkhead.Bulkhead] is one.
	//
	// [*bulkhead.Bulkhead]: https://pkg.go.dev/baton.dev/baton/internal/bulkhead#Bulkhead
	Places Places
	// Answers keep what equal requests may be answered with; nil: nothing does. A [*answers.Answers] is one.
	Answers Answers
	// CacheKey returns the key that a request has under the configuration as it is now; nil: the one it came with.
	CacheKey func(tenant string, m *catalog.Model, r events.Request) string
	// Ledger keeps budgets and what attempts cost; nil: nothing is counted. A [*ledger.Memory] is one.
	Ledger Ledger
	// Tokens takes the pieces of answers that are wanted while they are made; nil: nobody gets them.
	Tokens Tokens
	// Expand returns what puts back into the request of an event what was taken out of it; nil: nothing ever is.
	Expand func(in events.Event) func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error)
	// Observe, if set, is told how each attempt ended that was begun.
	Observe func(Attempt)

	MaxResult int              // bytes of a result, as the transport takes; 0: 900 KiB. Over it is events.CodeOutputTooLarge
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger     // nil: nothing is logged
}

// Leases is where the lease of an attempt is taken. See [lease.Leases.Hold].
type Leases interface {
	Hold(ctx context.Context, key string) (*lease.Held, lease.Grant, error)
}

// Health is what is known of targets. See [health.Board].
type Health interface {
	Admit(ctx context.Context, target string) (probe, ok bool)
	Report(o health.Outcome)
}

// Places is where a place at a target is taken. Enter waits for one until ctx is done, whose error it then returns.
type Places interface {
	Enter(ctx context.Context, target, id string, limit int) (leave func(), err error)
}

// Tokens takes a piece of the answer to a request, and does not wait. A [tokens.Relay] is one.
type Tokens interface {
	Send(messageID string, p tokens.Piece)
}

// Attempt is one that was begun, and how it ended.
type Attempt struct {
	Target  string
	Shadow  bool
	Code    string // "" is success
	Latency time.Duration
	Usage   *events.Usage
}

type function struct {
	Config
	alone   *lease.Leases // of this process, for when Leases cannot say
	flights flights
}

// New returns the function.
func New(c Config) hop.Handler {
	if c.MaxResult == 0 {
		c.MaxResult = defaultMaxResult
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Observe == nil {
		c.Observe = func(Attempt) {}
	}
	alone, err := lease.New(lease.Config{Store: lease.NewMemory()})
	if err != nil {
		panic(err) // it lacks nothing
	}
	if c.Leases == nil {
		c.Leases = alone
	}
	return (&function{Config: c, alone: alone}).handle
}

func (f *function) handle(ctx context.Context, in events.Event) ([]events.Event, error) {
	var req events.Request
	if err := json.Unmarshal(in.Data, &req); err != nil {
		return nil, hop.Reject(events.ReasonUndecodable, fmt.Errorf("infer: decode %s: %w", in.ID, err))
	}
	if in.Shadow {
		return nil, f.shadow(ctx, in, req)
	}
	known, done, err := f.equal(ctx, in, req)
	switch {
	case err != nil:
		return nil, err
	case known != nil:
		out := f.event(in, *known)
		out.Begun = in.Begun // no model was called
		return []events.Event{out}, nil
	}
	defer done()
	stop := f.leads(ctx, in)
	o, err := f.once(ctx, in, req)
	stop() // before the lead is given up
	if err != nil || o == nil {
		return nil, err
	}
	f.keep(ctx, in, req, *o)
	return []events.Event{f.event(in, *o)}, nil
}
