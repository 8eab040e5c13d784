package schedule

import (
	"fmt"
	"log/slog"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/hop"
)

// decision is what schedule says about a request: the target it goes to, not before a time if there is one; with neither
// target nor failure, that it is parked until then, and why; or why it has failed.
type decision struct {
	target  *catalog.Target
	apart   bool // the target's answer is not one to keep: it is a canary, or of another model
	until   time.Time
	why     string
	failure *events.ResultError
}

// policy decides about one event. What it reads is all here: its decision is a function of that, and it has no effects but
// those of the strategies that keep state.
type policy struct {
	catalog    *catalog.Catalog
	model      *catalog.Model // that the request names
	in         events.Event
	now        time.Time
	status     func(target string) health.Status
	offers     *offers
	doubts     bool // some target is held to be worse than its status says
	strategies *strategies
	log        *slog.Logger
	*room

	line      []*catalog.Model // the models to try, in order
	fallbacks int              // where in line those begin that stand in for the model
}

// maxPasses bounds how often a request is passed on to a target, whether or not that is called in the end. The runtime takes
// an event of 128 hops for a loop; a pass makes two of them, and the terminal event one more.
const maxPasses = 60

// pause is the wait before a target is tried that was tried before.
var pause = hop.Backoff{Base: 500 * time.Millisecond, Max: 30 * time.Second}

// over returns why nothing more is tried for the event's request, whatever the targets' state; nil if something may be.
func over(c *catalog.Catalog, in events.Event, now time.Time) *events.ResultError {
	model, ok := c.Models[in.Model]
	switch {
	case !ok:
		return fail(events.CodeModelNotOffered, "the model is no longer offered").failure
	case !mayUse(c, in):
		return fail(events.CodeModelNotOffered, "the model is no longer offered to the tenant").failure
	case events.Final(in.ErrorCode):
		return fail(in.ErrorCode, in.ErrorMessage).failure
	case !in.Expiry.IsZero() && !now.Before(in.Expiry):
		return fail(events.CodeDeadline, fmt.Sprintf("the deadline has passed; attempts begun: %d", in.Begun)).failure
	case in.Begun >= model.Attempts:
		return fail(events.CodeAttemptsSpent, spent(in)).failure
	case in.Attempt >= maxPasses:
		return fail(events.CodeUnavailable, fmt.Sprintf("no target took the request, which was offered %d times", in.Attempt)).failure
	default:
		return nil
	}
}

// mayUse reports whether the event's tenant is there and may use its model. A configuration without any tenants, as a replay
// may have it, says nothing of who may: there, everyone may.
func mayUse(c *catalog.Catalog, in events.Event) bool {
	if len(c.Tenants) == 0 {
		return true
	}
	t, ok := c.Tenants[in.Tenant]
	return ok && t.MayUse(in.Model)
}

// decide chooses the next target, for an event that is not over. See the package documentation for the order.
func (p *policy) decide() decision {
	if p.bounced() && p.bounces() > atOnce {
		return p.park(p.in.Target, p.now.Add(p.bounceWait()))
	}
	if t := p.canary(); t != nil {
		return decision{target: t, apart: true}
	}
	for round := range p.rounds() {
		target, apart := p.pick(round)
		if target == nil {
			continue
		}
		d := decision{target: target, apart: apart}
		if round > 0 {
			d.until = p.in.Time.Add(pause.Delay(round-1, p.in.Subject))
			if !d.until.After(p.now) {
				d.until = time.Time{}
			}
			if !p.in.Expiry.IsZero() && !d.until.Before(p.in.Expiry) {
				return fail(events.CodeDeadline,
					fmt.Sprintf("the deadline leaves no time for another attempt; attempts begun: %d", p.in.Begun))
			}
		}
		return d
	}
	if t := p.lastResort(); t != nil {
		return decision{target: t, apart: true}
	}
	if target, back := p.earliest(); target != "" {
		return p.park(target, back)
	}
	switch {
	case p.in.ErrorCode == events.CodeBudgetSpent:
		return fail(events.CodeBudgetSpent, "what an attempt may cost is more than the tenant's budget has left")
	case p.in.Attempt == 0:
		return fail(events.CodeNoTarget, "the model has no target")
	case p.in.ErrorCode == events.CodeUnsupported && p.in.Begun == 0:
		return fail(events.CodeUnsupported, p.in.ErrorMessage) // no target that could be tried can do it
	default:
		return fail(events.CodeAttemptsSpent, spent(p.in))
	}
}

// rounds returns how often any target may be tried: once, unless what failed may pass.
func (p *policy) rounds() int {
	if p.in.Attempt > 0 && !passing(p.in.ErrorCode) {
		return 1
	}
	return p.model.Attempts
}

// pick returns a target that may be tried in the round: a stable one of the first model in line that has one, by that
// model's strategy; nil if none has. Apart says that the model is another one than the request asked for.
func (p *policy) pick(round int) (target *catalog.Target, apart bool) {
	for i, m := range p.line {
		weights := p.room.of(len(m.Targets))
		if !shares(weights, m.Targets, func(t *catalog.Target) bool {
			return stable(t) && p.eligible(t, round) && p.standing(t).reach != out
		}) {
			continue
		}
		return m.Targets[p.strategies.choose(p, m, weights)], i >= p.fallbacks
	}
	return nil, false
}

// eligible reports whether the request may still go to the target in the round, the state of the target aside: it was tried
// there no more often than rounds have passed, and it costs less than what the tenant's budget refused.
func (p *policy) eligible(t *catalog.Target, round int) bool {
	if p.in.ErrorCode == events.CodeBudgetSpent {
		refused, _, ok := p.catalog.Target(p.in.Target)
		if !ok || !cheaper(t.Price, refused.Price) {
			return false
		}
	}
	tries := 0
	for _, name := range p.in.Tried {
		if name == t.Name {
			tries++
		}
	}
	return tries <= round
}

// cheaper reports whether a request costs less by price a than by b, however many of its tokens are of input and of output.
func cheaper(a, b catalog.Price) bool {
	return a.Input <= b.Input && a.Output <= b.Output && a != b
}

// stable reports whether the target takes requests by its weight.
func stable(t *catalog.Target) bool { return t.Canary == 0 && t.Shadow == 0 }

// passing reports whether what failed may work at the same target a little later.
func passing(code string) bool {
	switch code {
	case events.CodeTimeout, events.CodeUnreachable, events.CodeUnavailable, events.CodeRateLimited,
		events.CodeUnusableOutput, events.CodeBreakerOpen:
		return true
	default:
		return false
	}
}

func fail(code, message string) decision {
	return decision{failure: &events.ResultError{Code: code, Message: message}}
}

func spent(in events.Event) string {
	return fmt.Sprintf("attempts that failed: %d, the last at %s: %s", in.Begun, in.Target, in.ErrorCode)
}
