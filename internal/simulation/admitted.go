package simulation

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/tally"
)

// What must hold at the doors: who is refused is refused whole, who was accepted is never refused after it, and nobody gets
// in whose tenant has no room.

// doorTime is how long a door tries to store a request; one that stood still may be out of time without a fault.
const doorTime = 10 * time.Second

// answersAtTheDoor: a refusal says why, and nothing of what is refused is stored. Who was accepted is told so again each time
// that it asks, if not too often. Where a step failed, the door may not know better.
func (w *World) answersAtTheDoor(c *caller, v *visit, a *answer, known bool) {
	w.keepsItsRate(c, a)
	word := a.problem()
	switch word {
	case "":
		if a.status != http.StatusAccepted {
			w.suspectf(contract, c.id, "%s answered %d: %s", c.name(), a.status, a.body.String())
		}
	case problem.RateLimited, problem.QueueFull, problem.BudgetSpent, problem.WouldMissDeadline:
		if v.wrote {
			w.suspectf(refusedWhole, c.id, "%s is refused, %s, and something of it was written", c.name(), word)
		}
		if known && word != problem.RateLimited && !v.faulty {
			w.suspectf(contract, c.id, "%s was accepted, is asked for again and refused: %s", c.name(), word)
		}
	case problem.Unavailable:
		if !v.faulty && time.Since(v.began) < doorTime {
			w.suspectf(contract, c.id, "%s is told that it cannot be taken now, though nothing was wrong", c.name())
		}
	default:
		w.suspectf(contract, c.id, "%s answered %d: %s", c.name(), a.status, a.body.String())
	}
}

// keepsItsRate: no more requests of a tenant get by its rate than that and its burst allow, while the store is there.
func (w *World) keepsItsRate(c *caller, a *answer) {
	r, ok := limit.Of(w.tenant(c.tenant))
	if !ok || a.problem() == problem.RateLimited {
		return
	}
	w.mu.Lock()
	w.passed[c.tenant]++
	passed, blind := w.passed[c.tenant], w.blinds[rateOf(c.tenant)]
	w.mu.Unlock()
	if most := float64(r.Quota()) + r.PerSecond*time.Since(w.began).Seconds(); !blind && float64(passed) > most+0.01 {
		w.suspectf(rateHolds, c.id, "%d requests of %s got by a rate that allows %.1f", passed, c.tenant, most)
	}
}

// accepted notes that it is written for the first time that a request is accepted, in a visit.
func (w *World) accepted(id string, v *visit) {
	if c := w.requests[id]; c != nil {
		c.taken = v.began
		w.fitsItsQueue(c)
	}
}

// fitsItsQueue: no more requests of a tenant are accepted and have not ended than may be. Requests of which a step at a door
// failed are not counted: they may run without being in the tally.
func (w *World) fitsItsQueue(c *caller) {
	most := w.tenant(c.tenant).Queued
	under := 0
	for _, o := range w.callers {
		if o.tenant == c.tenant && o.isQueued() {
			under++
		}
	}
	if most > 0 && under > most {
		w.violatef(queueHolds, c.id, "%d requests of %s are accepted and have not ended, at most %d may be", under, c.tenant, most)
	}
}

func (c *caller) isQueued() bool {
	if c.taken.IsZero() || !time.Now().Before(c.taken.Add(c.allowed())) {
		return false
	}
	for _, v := range c.visits {
		if v.faulty {
			return false
		}
	}
	standing, err := c.world.observer().Look(c.world.ctx, c.id)
	return err == nil && !standing.Terminal()
}

// allowed is how long after it is accepted the request may begin.
func (c *caller) allowed() time.Duration {
	if c.deadline > 0 {
		return c.deadline
	}
	return c.world.scenario.catalogs[0].Limits.Deadline
}

// talliesHeal: a tenant whose requests have ended is not taken for full for longer than it takes to look.
func (w *World) talliesHeal() {
	looker := tally.New(tally.Config{Store: w.common.tally, Results: w.observer()})
	for _, name := range slices.Sorted(maps.Keys(w.scenario.catalogs[0].Tenants)) {
		if looker.Enter(w.ctx, w.tenant(name), "another", time.Now().Add(time.Minute)) != tally.Full {
			continue
		}
		in, err := w.common.tally.Sample(w.ctx, name, maxRequests)
		if err != nil {
			panic(err) // it is a map
		}
		for _, id := range in {
			if standing, err := w.observer().Look(w.ctx, id); err == nil && standing.Terminal() {
				w.violatef(tallyHeals, id, "%s is full, though one of its requests has ended, which was looked for", name)
			}
		}
	}
}

// wasRefusedWhole: a request that no visit wrote anything of is not known, and nobody was called for it.
func (w *World) wasRefusedWhole(c *caller) {
	switch c.refusal {
	case problem.RateLimited, problem.QueueFull, problem.BudgetSpent, problem.WouldMissDeadline:
	default:
		w.violatef(contract, c.id, "%s was never taken, though nothing was wrong in the end", c.name())
	}
	for _, v := range c.visits {
		if v.wrote {
			return
		}
	}
	if w.isKnown(c.id) {
		w.violatef(refusedWhole, c.id, "%s was refused each time, and is known", c.name())
	}
	for _, made := range w.calls {
		if made.message == c.id {
			w.violatef(refusedWhole, c.id, "%s was refused each time, and %s was called", c.name(), made.target)
		}
	}
}

// wasAccepted: nothing of a request is stored in the transport before it is written that it is accepted.
func (w *World) wasAccepted(e *events.Event) {
	if !w.isKnown(e.Subject) {
		w.violatef(refusedWhole, e.Subject, "%s is stored, and the request was not accepted", e.ID)
	}
}

// isKnown reports whether it is written that the request is accepted.
func (w *World) isKnown(id string) bool {
	_, err := w.observer().Look(w.ctx, id)
	return err == nil
}

// tenant returns a tenant, which is the same in all configurations.
func (w *World) tenant(name string) *catalog.Tenant { return w.scenario.catalogs[0].Tenants[name] }
