package schedule

import (
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/seeded"
)

// decision is what schedule says about a request: where it goes next and not before when, or why it has failed.
type decision struct {
	target    *catalog.Target
	notBefore time.Time
	failure   *events.ResultError
}

// pause is the wait before a target is tried that was tried before.
var pause = hop.Backoff{Base: 500 * time.Millisecond, Max: 30 * time.Second}

// decide chooses the next target: one of the model that was not tried yet, then one of its fallbacks, then, after a pause
// and if what failed may pass, one of those that were tried least.
func decide(c *catalog.Catalog, in events.Event, now time.Time) decision {
	model, ok := c.Models[in.Model]
	switch {
	case !ok:
		return fail(events.CodeModelNotOffered, "the model is no longer offered")
	case events.CallersFault(in.ErrorCode):
		return fail(in.ErrorCode, in.ErrorMessage)
	case !in.Expiry.IsZero() && !now.Before(in.Expiry):
		return fail(events.CodeDeadline, fmt.Sprintf("the deadline has passed; attempts begun: %d", in.Begun))
	case in.Attempt >= model.Attempts:
		return fail(events.CodeAttemptsSpent, spent(in))
	}
	tries := map[string]int{}
	for _, name := range in.Tried {
		tries[name]++
	}
	for round := range model.Attempts {
		if round > 0 && !passing(in.ErrorCode) {
			break
		}
		target := pick(c, model, func(t *catalog.Target) bool { return tries[t.Name] <= round }, in)
		if target == nil {
			continue
		}
		d := decision{target: target}
		if round > 0 {
			d.notBefore = in.Time.Add(pause.Delay(round-1, in.Subject))
			if !in.Expiry.IsZero() && !d.notBefore.Before(in.Expiry) {
				return fail(events.CodeDeadline, fmt.Sprintf("the deadline leaves no time for another attempt; attempts begun: %d", in.Begun))
			}
		}
		return d
	}
	if in.Attempt == 0 {
		return fail(events.CodeNoTarget, "the model has no target")
	}
	return fail(events.CodeAttemptsSpent, spent(in))
}

// pick returns a target that may be tried: of the model, or of the first of its fallbacks that has one; nil if none has.
func pick(c *catalog.Catalog, model *catalog.Model, may func(*catalog.Target) bool, in events.Event) *catalog.Target {
	if t := weighted(model.Targets, may, in.Subject, in.Attempt); t != nil {
		return t
	}
	for _, id := range model.Fallback {
		fallback, ok := c.Models[id]
		if !ok {
			continue
		}
		if t := weighted(fallback.Targets, may, in.Subject, in.Attempt); t != nil {
			return t
		}
	}
	return nil
}

// weighted chooses among the targets that may be tried, each as often as its weight says, by message and attempt: a
// decision that is repeated is the same. A target without weight is chosen only when none with weight is left.
func weighted(targets []*catalog.Target, may func(*catalog.Target) bool, messageID string, attempt int) *catalog.Target {
	total := 0
	var last *catalog.Target
	for _, t := range targets {
		if !may(t) {
			continue
		}
		total += t.Weight
		if last == nil || t.Weight > 0 {
			last = t
		}
	}
	if total == 0 {
		return last
	}
	point := seeded.Unit(messageID, attempt) * float64(total)
	for _, t := range targets {
		if !may(t) || t.Weight == 0 {
			continue
		}
		if point -= float64(t.Weight); point < 0 {
			return t
		}
	}
	return last // the sum was rounded up to the total
}

// passing reports whether what failed may work at the same target a little later.
func passing(code string) bool {
	switch code {
	case events.CodeTimeout, events.CodeUnreachable, events.CodeUnavailable, events.CodeRateLimited, events.CodeUnusableOutput:
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
