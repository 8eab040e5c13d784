package schedule

import (
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/seeded"
)

// canary returns the canary that the request is to go to first: the one in whose share of the messages it is, unless it was
// tried, is out, or was rolled back; nil if there is none. It is that of the first model in line: what a request falls back
// to is not the time to try something new.
//
// Each canary has an interval of [0, 1) as wide as its share, one after the other in the order of the configuration, and a
// message a point in it: so a request is always in the share of one or of none, and one that is withdrawn leaves the
// requests of the others where they were.
func (p *policy) canary() *catalog.Target {
	if len(p.line) == 0 {
		return nil
	}
	t := drawn(p.line[0].Targets, seeded.Unit(p.in.Subject, saltCanary), func(t *catalog.Target) float64 { return t.Canary })
	if t == nil || !p.eligible(t, 0) || p.status(t.Name).RolledBack || p.standing(t).reach == out {
		return nil
	}
	return t
}

// lastResort returns a canary that takes a request for which nothing else is left: one that is known to be well and was not
// tried; nil if there is none.
func (p *policy) lastResort() *catalog.Target {
	for _, m := range p.line {
		for _, t := range m.Targets {
			if t.Canary > 0 && p.eligible(t, 0) && !p.status(t.Name).RolledBack && p.standing(t).reach == open {
				return t
			}
		}
	}
	return nil
}

// drawn returns the target in whose interval the point is, when each has one as wide as its share; nil if it is in none.
func drawn(targets []*catalog.Target, point float64, share func(*catalog.Target) float64) *catalog.Target {
	for _, t := range targets {
		s := share(t)
		if s > 0 && point < s {
			return t
		}
		point -= s
	}
	return nil
}
