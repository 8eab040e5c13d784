package schedule

import (
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/seeded"
)

// shadowTime is how long a copy may wait for its target: it says how the target does under the load of the moment, and is
// worth nothing later.
const shadowTime = time.Minute

// shadow returns the target that gets a copy of the request, which goes to the chosen one; nil if none does. Only a first
// attempt is copied, to one target at most, which is drawn as a canary is.
func (p *policy) shadow(chosen *catalog.Target) *catalog.Target {
	if p.in.Attempt > 0 || len(p.line) == 0 {
		return nil
	}
	t := drawn(p.line[0].Targets, seeded.Unit(p.in.Subject, saltShadow), func(t *catalog.Target) float64 { return t.Shadow })
	if t == nil || t == chosen || p.standing(t).reach == out {
		return nil
	}
	return t
}

func shadowExpiry(in events.Event, now time.Time) time.Time {
	expiry := now.Add(shadowTime)
	if !in.Expiry.IsZero() && in.Expiry.Before(expiry) {
		return in.Expiry
	}
	return expiry
}
