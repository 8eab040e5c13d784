// Package schedule is the second function of the chain, and where every policy decision is made: which target a request
// tries next, or that it has failed.
//
// Its decisions are pure functions of the event, the configuration and the time, so an event that is handled twice is
// decided alike.
package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
)

// Config of the function. Both fields are required.
type Config struct {
	Catalog func() *catalog.Catalog // the configuration as it stands
	Now     func() time.Time
}

// New returns the function: it takes requested and attempt_failed, and emits scheduled or failed.
func New(cfg Config) hop.Handler {
	return func(_ context.Context, in events.Event) ([]events.Event, error) {
		now := cfg.Now()
		d := decide(cfg.Catalog(), in, now)
		if d.failure != nil {
			out, err := failed(in, *d.failure, now)
			if err != nil {
				return nil, err
			}
			return []events.Event{out}, nil
		}
		out := in.Next(events.Schedule, events.Scheduled, in.Attempt+1, now)
		out.Target = d.target.Name
		out.NotBefore = d.notBefore
		return []events.Event{out}, nil
	}
}

// failed returns the terminal event of a request that nothing more is tried for.
func failed(in events.Event, why events.ResultError, now time.Time) (events.Event, error) {
	var r events.Request
	if err := json.Unmarshal(in.Data, &r); err != nil {
		return events.Event{}, hop.Reject(events.ReasonUndecodable, fmt.Errorf("schedule: decode request: %w", err))
	}
	data, err := events.Result{
		MessageID: in.Subject, RequestID: r.RequestID, Status: events.StatusFailed, ModelID: in.Model, Target: in.Target,
		Attempts: in.Begun, Error: &why, Metadata: r.Metadata,
		Timings: events.Timings{AcceptedAt: in.Accepted, CompletedAt: now, QueueMS: max(now.Sub(in.Accepted).Milliseconds(), 0)},
	}.Encode()
	if err != nil {
		return events.Event{}, err
	}
	out := in.Next(events.Schedule, events.Failed, in.Attempt, now)
	out.ErrorCode, out.Data = why.Code, data
	return out, nil
}
