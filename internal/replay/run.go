package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/hop"
)

// Options of a replay.
type Options struct {
	Catalog  *catalog.Catalog // to replay under; required
	Baseline *catalog.Catalog // with the prices of the trace's own time; nil: those of Catalog
	Seed     uint64           // of what is drawn
	Assume   map[string]Assumption
}

// Run replays the trace. It takes no longer than it has to, and ends early, with its error, when ctx is done.
func Run(ctx context.Context, t *Trace, o Options) (*Report, error) {
	drawers, leftOut, err := t.drawers(o.Catalog, o.Assume)
	if err != nil {
		return nil, err
	}
	s := newSimulation(ctx, t, o, drawers)
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	prices := o.Baseline
	if prices == nil {
		prices = o.Catalog
	}
	r := &Report{From: t.From, To: t.To, Seed: o.Seed, Recorded: t.recorded(prices).side(), Replayed: s.book.side()}
	r.Notes = t.notes(o, r.Recorded, leftOut)
	return r, nil
}

// simulation is one run.
type simulation struct {
	agenda

	ctx      context.Context //nolint:containedctx // of the one run that it is for; its steps are called by the agenda
	trace    *Trace
	catalog  *catalog.Catalog
	seed     uint64
	schedule hop.Handler
	health   *health.Board
	answers  *answers.Answers
	servers  map[string]*server
	book     *book
	err      error // the first
}

// flow is one request on its way.
type flow struct {
	message *Message
	calls   map[string]int // by target
	refused *outcome       // how the request was refused, where any target would
	calling time.Duration
	usage   events.Usage
	ended   bool
}

func newSimulation(ctx context.Context, t *Trace, o Options, drawers map[string]drawer) *simulation {
	s := &simulation{
		ctx: ctx, trace: t, catalog: o.Catalog, seed: o.Seed, servers: map[string]*server{}, book: newBook(),
	}
	s.now = t.From
	now := func() time.Time { return s.now }
	current := func() *catalog.Catalog { return o.Catalog }
	s.health = health.New(health.Config{Now: now, Canary: canariesOf(o.Catalog), Targets: targetsOf(o.Catalog)})
	s.answers = answers.New(answers.Config{Store: answers.NewMemory().WithClock(now), Now: now})
	s.schedule = schedule.New(schedule.Config{Catalog: current, Now: now, Health: s.health, Answers: s.answers})
	for name, d := range drawers {
		target, model, _ := o.Catalog.Target(name)
		s.servers[name] = newServer(target, model, d, o.Catalog.Priorities)
	}
	return s
}

// run lets every request arrive and goes on until all have ended.
func (s *simulation) run(ctx context.Context) error {
	for _, m := range s.trace.Messages {
		f := &flow{message: m, calls: map[string]int{}, usage: s.trace.usageOf(m), refused: refusalOf(m)}
		s.book.requests++
		in, err := s.arrival(m)
		if err != nil {
			return err
		}
		s.at(m.Arrived, func() { s.consider(f, in) })
	}
	for n := 0; s.next(); n++ {
		if s.err != nil {
			return s.err
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return fmt.Errorf("replay: stopped: %w", context.Cause(ctx))
		}
	}
	return s.err
}

// refusalOf returns how the request ended at a target for what it is, whichever that was; nil if it did not.
func refusalOf(m *Message) *outcome {
	i := slices.IndexFunc(m.Attempts, func(a *Attempt) bool { return events.Final(a.Code) })
	if i < 0 {
		return nil
	}
	return &outcome{service: m.Attempts[i].Service, code: m.Attempts[i].Code}
}

// arrival returns the event of the request's arrival.
func (s *simulation) arrival(m *Message) (events.Event, error) {
	body, err := json.Marshal(events.Request{RequestID: m.ID, ModelID: m.Model})
	if err != nil {
		return events.Event{}, fmt.Errorf("replay: request of %s: %w", m.ID, err)
	}
	expiry := m.Expiry
	if expiry.IsZero() {
		expiry = m.Arrived.Add(s.catalog.Limits.Deadline)
	}
	in := events.New(m.Tenant, events.Request{RequestID: m.ID, ModelID: m.Model}, m.Priority, body, m.Arrived, expiry)
	// The message's own id, which its targets are chosen by.
	in.ID, in.Subject, in.CorrelationID = m.ID+"-requested-0", m.ID, m.ID
	if model, ok := s.catalog.Models[m.Model]; ok && model.Cache > 0 {
		in.CacheKey = m.Same
	}
	return in, nil
}

// consider has an event decided on, after the time that this takes.
func (s *simulation) consider(f *flow, in events.Event) {
	s.at(s.now.Add(s.trace.decision), func() { s.decide(f, in) })
}

// decide hands an event to the scheduler, and does what that says.
func (s *simulation) decide(f *flow, in events.Event) {
	limits := hop.Limits{}
	if o := limits.Admit(events.Schedule, hop.Delivery{Event: in}, s.now); o != nil {
		s.end(f, string(o.Reason), false)
		return
	}
	out, err := s.schedule(s.ctx, in)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		s.err = err
		return
	}
	switch o := limits.Classify(in, err); o.Kind {
	case hop.Done:
		for _, e := range out {
			s.follow(f, e)
		}
	case hop.Parked:
		// A millisecond at least, so that time goes on whatever a policy says.
		until := s.now.Add(max(o.Until.Sub(s.now), time.Millisecond))
		s.at(until, func() { s.decide(f, in.Parked(until)) })
	case hop.Retry:
		again := in.Again(time.Time{})
		if o.As != nil {
			again = o.As.Anew()
		}
		s.at(s.now.Add(max(o.After, time.Millisecond)), func() { s.decide(f, again) })
	case hop.Return:
		s.at(s.now.Add(hop.Backoff{}.Delay(0, in.ID)), func() { s.decide(f, in) })
	case hop.Dead:
		s.end(f, string(o.Reason), false)
	}
}

// follow does what an event of the scheduler says.
func (s *simulation) follow(f *flow, e events.Event) {
	switch e.Type {
	case events.Completed:
		s.end(f, "", true)
	case events.Failed:
		s.end(f, e.ErrorCode, false)
	default:
		server := s.servers[e.Target]
		if server == nil && e.Shadow {
			return // of a target that is left out
		}
		start := s.now
		if e.NotBefore.After(start) {
			start = e.NotBefore
		}
		s.at(start.Add(s.trace.dispatch), func() {
			server.add(job{f, e})
			s.serve(server)
		})
	}
}

// end notes that the request ended.
func (s *simulation) end(f *flow, code string, cached bool) {
	if f.ended {
		return
	}
	f.ended = true
	s.book.end(code, cached, s.now.Sub(f.message.Arrived), f.calling)
}
