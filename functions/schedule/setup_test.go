package schedule_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/hop"
)

// known is what a test says is known of the targets.
type known map[string]health.Status

func (k known) Status(target string) health.Status { return k[target] }

// rig runs the function over one configuration, at a time of its own.
type rig struct {
	t       *testing.T
	now     time.Time
	catalog *catalog.Catalog
	handler hop.Handler
}

func newRig(t *testing.T, c *catalog.Catalog, cfg schedule.Config) *rig {
	t.Helper()
	r := &rig{t: t, now: now, catalog: c}
	cfg.Catalog, cfg.Now = func() *catalog.Catalog { return r.catalog }, func() time.Time { return r.now }
	r.handler = schedule.New(cfg)
	return r
}

// do handles the event, which must be answered with events: the one that carries the request on, and perhaps a shadow.
func (r *rig) do(in events.Event) (out events.Event, shadows []events.Event) {
	r.t.Helper()
	all, err := r.handler(r.t.Context(), in)
	if err != nil || len(all) == 0 {
		r.t.Fatalf("schedule: %d events, %v", len(all), err)
	}
	return all[0], all[1:]
}

// one handles the event, which must be answered with one event.
func (r *rig) one(in events.Event) events.Event {
	r.t.Helper()
	out, shadows := r.do(in)
	if len(shadows) > 0 {
		r.t.Fatalf("emitted %s beside %s", shadows[0].ID, out.ID)
	}
	return out
}

// parked handles the event, which must be parked, and returns it as it wakes.
func (r *rig) parked(in events.Event) events.Event {
	r.t.Helper()
	out, err := r.handler(r.t.Context(), in)
	o := (hop.Limits{}).Classify(in, err)
	if len(out) > 0 || o.Kind != hop.Parked {
		r.t.Fatalf("emitted %v, %v, want it parked", out, err)
	}
	return in.Parked(o.Until)
}

// bounced returns the event of an attempt that the target's breaker refused.
func bounced(in events.Event, target string, at time.Time) events.Event {
	out := in.Next(events.Schedule, events.Scheduled, in.Attempt+1, at).Next(events.Infer, events.AttemptFailed, in.Attempt+1, at)
	out.Target, out.ErrorCode = target, events.CodeBreakerOpen
	return out
}

// model returns a model with the targets and 4 attempts, weighted.
func model(id string, targets ...*catalog.Target) *catalog.Model {
	return &catalog.Model{ID: id, Strategy: catalog.Weighted, Attempts: 4, Targets: targets}
}

func target(name string, weight int) *catalog.Target {
	return &catalog.Target{Name: name, Weight: weight}
}

func offering(models ...*catalog.Model) *catalog.Catalog {
	c := &catalog.Catalog{Models: map[string]*catalog.Model{}}
	for _, m := range models {
		c.Models[m.ID] = m
	}
	return c
}

// fate is what becomes of a request that is followed to its end.
type fate struct {
	last   events.Event
	passes int // to a target
	parks  int
	took   time.Duration
}

// follow takes a request to its end, or until it was passed to a target and not sent back: back returns what infer sends
// back at the given time, and false if it answers.
func (r *rig) follow(in events.Event, back func(scheduled events.Event, at time.Time) (events.Event, bool)) fate {
	r.t.Helper()
	f := fate{}
	for {
		f.took = r.now.Sub(now)
		if f.parks > 100_000 {
			r.t.Fatalf("parked %d times", f.parks)
		}
		if refused := (hop.Limits{}).Admit(events.Schedule, hop.Delivery{Event: in}, r.now); refused != nil {
			r.t.Fatalf("after %s the runtime refuses the event: %v", f.took, refused.Err)
		}
		out, err := r.handler(r.t.Context(), in)
		if o := (hop.Limits{}).Classify(in, err); o.Kind == hop.Parked {
			if !o.Until.After(r.now) {
				r.t.Fatalf("parked until %v at %v", o.Until, r.now)
			}
			f.parks++
			in = in.Parked(o.Until)
			r.now = o.Until
			continue
		}
		if err != nil || len(out) != 1 {
			r.t.Fatalf("schedule: %v, %v", out, err)
		}
		f.last = out[0]
		if f.last.Type != events.Scheduled {
			return f
		}
		f.passes++
		if f.last.NotBefore.After(r.now) {
			r.now = f.last.NotBefore
		}
		r.now = r.now.Add(5 * time.Millisecond)
		sent, ok := back(f.last, r.now)
		if !ok {
			return f
		}
		in = sent
	}
}

// sentBack returns what infer sends back for a scheduled event: the code, and the target among the tried ones if it counts.
func sentBack(scheduled events.Event, code string, at time.Time) events.Event {
	out := scheduled.Next(events.Infer, events.AttemptFailed, scheduled.Attempt, at)
	out.ErrorCode = code
	if code != events.CodeBreakerOpen {
		out.Tried = append(slices.Clone(scheduled.Tried), scheduled.Target)
	}
	if events.Begun(code) {
		out.Begun++
	}
	return out
}

var errAway = errors.New("the store is away")
