package schedule

import (
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/seeded"
)

const (
	// atOnce is how many bounces of a request are answered at once with another target.
	atOnce = 3
	// leastWait is the least that a request is parked for.
	leastWait = 250 * time.Millisecond
	// mostTurnWait bounds how long a request is parked for its turn at a half-open target: what it may be late once that is
	// well. The wait is in proportion to how long it has waited, so that a long queue is not stored anew every second.
	mostTurnWait = 30 * time.Second
)

// earliest returns the target, of those that the request may still go to, that could be back first, and when; "" if there is
// none. Canaries are not waited for.
func (p *policy) earliest() (target string, back time.Time) {
	last := p.rounds() - 1
	for _, m := range p.line {
		for _, t := range m.Targets {
			if !stable(t) || !p.eligible(t, last) {
				continue
			}
			s := p.standing(t)
			if s.reach != out {
				s.back = p.now // it came back while the others were looked at
			}
			if target == "" || s.back.Before(back) {
				target, back = t.Name, s.back
			}
		}
	}
	return target, back
}

// park returns the decision to wait for the target, which could be back at the given time. So that not all who wait come at
// once, each adds up to a tenth of the wait, by its message, where its deadline allows.
func (p *policy) park(target string, back time.Time) decision {
	wait := max(back.Sub(p.now), leastWait)
	until := p.now.Add(wait)
	if expiry := p.in.Expiry; !expiry.IsZero() {
		if !until.Before(expiry) {
			return fail(events.CodeUnavailable, fmt.Sprintf(
				"every target is out, and none could be back before the deadline; attempts begun: %d", p.in.Begun))
		}
		wait = min(wait, 10*(expiry.Sub(until)-1))
	}
	until = until.Add(time.Duration(float64(wait) / 10 * p.jitter()))
	return decision{until: until, why: "every target is out, the first that could be back is " + target}
}

// bounces returns how many attempts came back without a call.
func (p *policy) bounces() int { return p.in.Attempt - p.in.Begun }

// bounceWait returns how long a request that bounced is parked before it is offered to the same target again: from half a
// second on it doubles with each bounce, up to half of the time since the request was accepted. So the bounces of a
// request grow as the logarithm of the outage, and a day of it takes fewer than [maxPasses].
func (p *policy) bounceWait() time.Duration {
	wait := 500 * time.Millisecond << min(max(p.bounces()-1, 0), 20) // a week: the bound is the age
	return p.within(min(wait, max(p.now.Sub(p.in.Accepted)/2, time.Second)))
}

// turnWait returns how long a request is parked that finds a half-open target with its turn taken: an eighth of the time
// since it first came here.
func (p *policy) turnWait() time.Duration {
	return p.within(min(max(p.now.Sub(p.in.Time)/8, offerEvery), mostTurnWait))
}

// soon returns when a request is to be decided again that lost every race for a turn.
func (p *policy) soon() time.Time { return p.now.Add(p.within(offerEvery)) }

// within shortens a wait that nobody named to half of the time that is left until the deadline, and then spreads it over its
// upper quarter.
func (p *policy) within(wait time.Duration) time.Duration {
	if !p.in.Expiry.IsZero() {
		wait = max(min(wait, p.in.Expiry.Sub(p.now)/2), leastWait)
	}
	return wait - time.Duration(float64(wait/4)*p.jitter())
}

// jitter returns the request's own number in [0, 1), another one each time that it is parked.
func (p *policy) jitter() float64 { return seeded.Unit(p.in.Subject, saltPark+p.in.Copy+p.in.Attempt) }
