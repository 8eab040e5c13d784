package chain

import (
	"context"
	"time"

	"baton.dev/baton/functions/infer"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
)

// A target at the edge has its infer running in another place, beside the model. While the link to there is cut,
//
//	schedule chooses other targets, as for one whose breaker is open
//	infer here takes what waits in the target's lane and bounces it back to schedule, without a call
//	infer there finishes what it holds, and hands it in when the link is back
//
// What was handed out and is not settled comes back after its lease (30 s), and is bounced too: so a request whose call goes
// on behind the cut link may be called again, elsewhere. Of its two ends the first that is stored counts, and is delivered.

// serves reports whether this process takes the events of the target.
func (c Config) serves(t *catalog.Target) bool {
	switch {
	case c.AtEdge != nil:
		return t.Edge && c.AtEdge(t)
	case t.Edge:
		return c.Away != nil && c.Away(t.Name)
	default:
		return true
	}
}

// calls reports whether this process may call the target.
func (c Config) calls(t *catalog.Target) bool {
	if c.AtEdge != nil {
		return t.Edge && c.AtEdge(t)
	}
	return !t.Edge
}

// Asked returns the targets that this process may call, and so may ask whether they are ready.
func (c Config) Asked() []*catalog.Target {
	var list []*catalog.Target
	for _, m := range c.Catalog().Models {
		for _, t := range m.Targets {
			if c.calls(t) {
				list = append(list, t)
			}
		}
	}
	return list
}

// awayFor is how long a target that is away is taken to be away still: it is looked at again then.
const awayFor = 2 * time.Second

// present is schedule's view of the targets: one at the edge is out while it is away.
type present struct {
	health  schedule.Health // nil: nothing is known
	chain   Config
	resting time.Duration
}

// Status implements [schedule.Health].
func (p present) Status(target string) health.Status {
	if t, _, ok := p.chain.Catalog().Target(target); ok && t.Edge && p.chain.Away(target) {
		return health.Status{State: health.Open, Until: time.Now().Add(p.resting)}
	}
	if p.health == nil {
		return health.Status{}
	}
	return p.health.Status(target)
}

// elsewhere is infer's view of the targets: those that are not called from here are left alone.
type elsewhere struct {
	health infer.Health // nil: nothing is known
	chain  Config
}

// Admit implements [infer.Health].
func (e elsewhere) Admit(ctx context.Context, target string) (probe, ok bool) {
	if t, _, known := e.chain.Catalog().Target(target); known && !e.chain.calls(t) {
		return false, false
	}
	if e.health == nil {
		return false, true
	}
	return e.health.Admit(ctx, target)
}

// Report implements [infer.Health].
func (e elsewhere) Report(o health.Outcome) {
	if e.health != nil {
		e.health.Report(o)
	}
}
