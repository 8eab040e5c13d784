package schedule

import (
	"context"
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/hop"
)

// Answers is what is known of answers to requests, by cache key: those that are there, and who leads the one call that is
// under way. An [*answers.Answers] is one. Where it cannot say, Get says no and Lead says yes: the request then makes its own
// call. Its methods must be safe for concurrent calls, and fail fast.
//
// Lead takes or renews the lead for the time to live, and reports whether the message has it. Land gives it up, if the
// message has it; Abandon too, and lets more than one lead for a while, since this one comes to nothing for the others.
type Answers interface {
	Get(ctx context.Context, key string) (answers.Answer, bool)
	Lead(ctx context.Context, key, messageID string, ttl time.Duration) bool
	Land(ctx context.Context, key, messageID string)
	Abandon(ctx context.Context, key, messageID string)
}

const (
	// leastLead is how long a lead is held at least that nobody renews: what a leader that vanishes costs those who wait for
	// it. It is renewed by each decision, and by infer while it makes the call.
	leastLead = 2 * time.Minute
	// beyondCall is how much longer than the slowest call it is held: for the way there and back, and a queue that is short.
	// In a longer one it may end, and another leads beside it.
	beyondCall = time.Minute
)

// look is the wait of one that follows between two looks at the cache.
var look = hop.Backoff{Base: 100 * time.Millisecond, Max: 2 * time.Second}

// cachable reports whether an answer to the request may be another's.
func (f *function) cachable(p *policy) bool {
	return f.Answers != nil && p.in.CacheKey != "" && p.model.Cache > 0
}

// answered settles a request by an answer that is there, or parks it to wait for the one that leads. With neither it is to
// go on: it leads, or is not for the cache, as one that a canary is to answer, since that is to be measured.
func (f *function) answered(ctx context.Context, p *policy) ([]events.Event, error) {
	if p.in.Type != events.Requested || !f.cachable(p) || p.canary() != nil {
		return nil, nil
	}
	if a, ok := f.Answers.Get(ctx, p.in.CacheKey); ok {
		out, err := completed(p.in, a, p.now)
		if err != nil {
			return nil, err
		}
		if p.in.Copy > 0 { // it waited, perhaps as the one that leads
			f.Answers.Land(ctx, p.in.CacheKey, p.in.Subject)
		}
		return []events.Event{out}, nil
	}
	if f.Answers.Lead(ctx, p.in.CacheKey, p.in.Subject, p.leadTime()) {
		return nil, nil
	}
	until := p.now.Add(look.Delay(p.in.Copy, p.in.Subject))
	if !p.in.Expiry.IsZero() {
		last := patience(p.in)
		if !p.now.Before(last) {
			return nil, nil
		}
		if until.After(last) {
			until = last
		}
	}
	return nil, hop.Park(fmt.Errorf("schedule: %s waits: an equal request is being answered", p.in.ID), until)
}

// patience returns until when a request with a deadline follows another: for half of the time from its acceptance to its
// deadline. Then it makes its own call, while there is time for it, whoever leads.
func patience(in events.Event) time.Time { return in.Accepted.Add(in.Expiry.Sub(in.Accepted) / 2) }

// keepLead renews the lead of a request that goes on. One that lost it goes on all the same: its attempts have begun.
func (f *function) keepLead(ctx context.Context, p *policy) {
	if p.in.Type == events.AttemptFailed && f.cachable(p) {
		f.Answers.Lead(ctx, p.in.CacheKey, p.in.Subject, p.leadTime())
	}
}

// abandon lets those who follow the request go on, a few at once, when no answer for them is to come of it.
func (f *function) abandon(ctx context.Context, in events.Event) {
	if f.Answers != nil && in.CacheKey != "" {
		f.Answers.Abandon(ctx, in.CacheKey, in.Subject)
	}
}

// leadTime returns for how long the request leads: for longer than any target whose answer is one to share takes to answer,
// but not beyond its deadline.
func (p *policy) leadTime() time.Duration {
	lead := leastLead
	for _, m := range p.line[:p.fallbacks] {
		for _, t := range m.Targets {
			if stable(t) {
				lead = max(lead, t.Timeout+beyondCall)
			}
		}
	}
	if p.in.Expiry.IsZero() {
		return lead
	}
	return min(lead, p.in.Expiry.Sub(p.now))
}

// completed returns the terminal event of a request that is answered by what another one got.
func completed(in events.Event, a answers.Answer, now time.Time) (events.Event, error) {
	r, err := request(in)
	if err != nil {
		return events.Event{}, err
	}
	data, err := a.Result(in, r, now).Encode()
	if err != nil {
		return events.Event{}, err
	}
	out := in.Next(events.Schedule, events.Completed, in.Attempt, now)
	out.Target, out.Data = a.Target, data
	return out, nil
}
