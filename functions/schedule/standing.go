package schedule

import (
	"maps"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
)

// reach is whether a request may go to a target now.
type reach int

const (
	open    reach = iota // it may
	probing              // it may, as one of the few that see whether the target is well again: it needs a turn
	out                  // it may not
)

// standing is how a target stands to a request.
type standing struct {
	reach reach
	back  time.Time // of one that is out: when it could be back, or be offered a request
}

// standing returns how the target stands, by its breaker, what bounced off it, and what it was offered of late.
func (p *policy) standing(t *catalog.Target) standing {
	if p.bounced() && t.Name == p.in.Target {
		return standing{out, p.now.Add(p.bounceWait())}
	}
	s := p.status(t.Name)
	switch {
	case s.State == health.Open && s.Until.After(p.now):
		return standing{out, s.Until}
	case s.State == health.Open, s.State == health.HalfOpen, p.doubts && p.offers.doubted(t.Name, p.now):
		if !p.offers.free(t.Name, p.now) {
			return standing{out, p.now.Add(p.turnWait())}
		}
		return standing{reach: probing}
	default:
		return standing{}
	}
}

const (
	// offerEvery is how often this process offers a request to a target that is half-open. Which of them are called is for
	// infer to say, where the probes of all processes are counted; more would only bounce.
	offerEvery = time.Second
	// doubtFor is how long a target is held to be half-open after a request bounced off it: longer than an offered request
	// takes to come back, so that the next bounce comes before the doubt ends.
	doubtFor = 3 * time.Second
)

// offers is what this process has offered to targets that are half-open, and what bounced. The zero value is ready, and safe
// for concurrent use.
//
// A bounce is news that health may not have: where Redis is away, only the process that calls a target sees how it does, and
// this one learns of it by what comes back. Without it, every request would go out and back.
type offers struct {
	mu      sync.Mutex
	last    map[string]time.Time // the last offer
	bounces map[string]time.Time // the last bounce
}

// heed notes that the policy's request bounced, and tells the policy whether any target is in doubt.
func (o *offers) heed(p *policy) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p.bounced() {
		if o.last == nil || o.bounces == nil {
			o.last, o.bounces = map[string]time.Time{}, map[string]time.Time{}
		}
		o.last[p.in.Target], o.bounces[p.in.Target] = p.now, p.now
	}
	if len(o.bounces) > 0 {
		maps.DeleteFunc(o.bounces, func(_ string, at time.Time) bool { return p.now.Sub(at) >= doubtFor })
	}
	p.doubts = len(o.bounces) > 0
}

// doubted reports whether a request bounced off the target of late.
func (o *offers) doubted(target string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	at, ok := o.bounces[target]
	return ok && now.Sub(at) < doubtFor
}

// free reports whether the target may be offered a request.
func (o *offers) free(target string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	at, ok := o.last[target]
	return !ok || now.Sub(at) >= offerEvery
}

// take takes the turn to offer the target a request, and reports whether it was there to be taken.
func (o *offers) take(target string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if at, ok := o.last[target]; ok && now.Sub(at) < offerEvery {
		return false
	}
	maps.DeleteFunc(o.last, func(_ string, at time.Time) bool { return now.Sub(at) >= time.Minute })
	if o.last == nil {
		o.last = map[string]time.Time{}
	}
	o.last[target] = now
	return true
}

// bounced reports whether the event says that a breaker just refused the request. One that has waited since is no news.
func (p *policy) bounced() bool {
	return p.in.Type == events.AttemptFailed && p.in.ErrorCode == events.CodeBreakerOpen && p.in.Copy == 0
}
