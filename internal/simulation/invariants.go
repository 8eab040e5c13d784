package simulation

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
)

// What must hold in every world. Those of a step are called by the effect that could break them, at the step; those of the
// end by [World.atEnd], when the faults are over and the world has come to rest.

// The names of the invariants, as ARCHITECTURE.md has them.
const (
	endsOnce         = "every accepted request ends in exactly one terminal result"
	oneBody          = "no result is delivered with two bodies"
	attemptsBounded  = "attempts never pass their bound"
	leaseHeldOnce    = "no two executions of one attempt hold the lease at once"
	callsInTime      = "no call begins after the deadline"
	callsNotCanceled = "no call begins after a cancel that was confirmed"
	breakerHolds     = "a breaker that is open lets only probes through"
	budgetHolds      = "a budget is never overspent"
	lowProgresses    = "low priority always progresses"
	nothingLost      = "nothing accepted is lost"
	idsStay          = "an event keeps the id of its step, redriven work too"
	answersItsOwn    = "a request gets the answer to what it asked"
	burstOnce        = "equal requests at once make one call"
	refusedWhole     = "nothing of a refused request is stored or runs"
	rateHolds        = "no tenant is faster than its rate"
	queueHolds       = "no tenant has more under way than it may"
	tallyHeals       = "a tenant is not taken for full that is not"
	contract         = "callers are answered by the contract"
	comesToRest      = "the world comes to rest"
)

// stepsHaveTheirIDs: the id of an event is made of its message, its step and its attempt, and of nothing else.
func (w *World) stepsHaveTheirIDs(e *events.Event) {
	want := e.Subject + "-" + e.Type.Step() + "-" + strconv.Itoa(e.Attempt)
	if e.Shadow {
		want += "-shadow"
	}
	if e.ID != want {
		w.violatef(idsStay, e.Subject, "an event is stored as %s, and its step is %s", e.ID, want)
	}
}

// redrivenKeepsItsID: what is redriven is the event that died.
func (w *World) redrivenKeepsItsID(dead, again *events.Event) {
	if dead.ID != again.ID || dead.Subject != again.Subject || !bytes.Equal(dead.Data, again.Data) {
		w.violatef(idsStay, dead.Subject, "the dead letter %s is redriven as %s", dead.ID, again.ID)
	}
}

// somethingGoesOn: when a delivery of a message is settled for good, the message has ended, or something of it is stored.
func (w *World) somethingGoesOn(e *events.Event) {
	if e.Shadow || w.live[e.Subject] > 0 {
		return
	}
	standing, err := w.observer().Look(w.ctx, e.Subject)
	if err != nil || !standing.Terminal() {
		w.violatef(nothingLost, e.Subject, "%s is settled, nothing else of the message is stored, and it has not ended", e.ID)
	}
}

// beginsInTime: a call begins before the deadline of its request, and not after the caller was told that it is canceled.
func (w *World) beginsInTime(made *call, c model.Call) {
	if !c.Expiry.IsZero() && !made.began.Before(c.Expiry) {
		w.violatef(callsInTime, made.message, "%s calls %s %v after the deadline", made.event, made.target, made.began.Sub(c.Expiry))
	}
	if q := w.requests[made.message]; q != nil && !q.confirm.IsZero() && made.began.After(q.confirm) {
		late := made.began.Sub(q.confirm)
		w.violatef(callsNotCanceled, made.message, "%s calls %s %v after the cancel", made.event, made.target, late)
	}
}

// oneExecutionAtATime: no call of an attempt begins while another one of it goes on, unless somebody could not know of it.
func (w *World) oneExecutionAtATime(made *call) {
	for _, o := range w.calls {
		if o.event != made.event || !o.ended.IsZero() || o.shadow || w.queue.isGone(o.by) {
			continue
		}
		if !w.blinds[made.event] && !w.blindOf[o.by.name] && !w.blindOf[made.by.name] {
			w.violatef(leaseHeldOnce, made.message, "%s is executed by %s while %s does", made.event, made.by.name, o.by.name)
		}
	}
}

// callsOnce: of equal requests that are there at once, one calls for all, in a calm world, unless it is known that what one is
// answered does not serve the others, or half of the time of one that waits has passed: then it calls for itself.
func (w *World) callsOnce(made *call) {
	q := w.requests[made.message]
	if !w.scenario.calm || made.shadow || q == nil || w.widened[w.question(q.id, q.asked())] {
		return
	}
	if w.callsForItself(made) {
		return
	}
	for _, o := range w.calls {
		p := w.requests[o.message]
		if o.shadow || p == nil || w.callsForItself(o) || p == q || p.tenant != q.tenant || p.model != q.model || p.prompt != q.prompt {
			continue
		}
		if !w.mayCallAfter(o) {
			w.violatef(burstOnce, made.message, "%s calls %s, though %s has called for an equal request", made.event, made.target, o.event)
		}
	}
}

// callsForItself reports whether the request has waited for others as long as it may.
func (w *World) callsForItself(c *call) bool {
	accepted := w.requests[c.message].taken
	return !c.began.Before(accepted.Add(c.expiry.Sub(accepted) / 2))
}

// mayCallAfter reports whether there is a cause for a call for another request that is equal: the answer is lost with its
// process, or too old, or there was none and nobody leads any more.
func (w *World) mayCallAfter(o *call) bool {
	now, m := time.Now(), w.scenario.catalogs[0].Models[w.requests[o.message].model]
	switch {
	case w.queue.isGone(o.by), w.processes[o.by.index] != o.by, !now.Before(o.expiry):
		return true
	case !o.good.IsZero():
		return !now.Before(o.good.Add(m.Cache))
	default:
		return !o.ended.IsZero() && w.landed[o.message]
	}
}

// endsWithItsLease: an execution that was told that its lease is another's has ended by the next step.
func (w *World) endsWithItsLease() {
	w.mu.Lock()
	told := w.succeeded
	w.succeeded = nil
	w.mu.Unlock()
	for _, lost := range told {
		for _, c := range w.calls {
			if c.by == lost.by && c.event == lost.event && c.token == lost.token && c.ended.IsZero() {
				w.violatef(leaseHeldOnce, c.message, "%s goes on with %s, though it was told that another has the lease", c.by.name, c.event)
			}
		}
	}
}

// isWithinBudget: what is spent and reserved is no more than the budget, and so is what the models were paid, counting an
// attempt that was repeated once.
func (w *World) isWithinBudget(account string, budget catalog.Money, id string) {
	s, err := w.common.ledger.Spent(w.ctx, account)
	if err != nil || s.Spent+s.Reserved > budget {
		w.violatef(budgetHolds, messageOf(id), "%s: %d are spent and %d reserved of %d", account, s.Spent, s.Reserved, budget)
	}
	tenant, _, _ := strings.Cut(account, "/")
	attempts := map[string]catalog.Money{}
	sum := catalog.Money(0)
	for _, c := range w.calls {
		if q := w.requests[c.message]; q == nil || q.tenant != tenant || c.shadow {
			continue
		}
		if more := c.cost - attempts[c.event]; more > 0 {
			sum += more
			attempts[c.event] = c.cost
		}
	}
	if sum > budget {
		w.violatef(budgetHolds, messageOf(id), "%s: the models were paid %d of %d", account, sum, budget)
	}
}

// oneBodyUnderAnID: all that a receiver gets under one id is the same, byte for byte, and of one message it gets one id.
func (w *World) oneBodyUnderAnID(id string, body []byte) {
	message := messageOf(id)
	if before, ok := w.bodies[id]; ok && !bytes.Equal(before, body) {
		w.violatef(oneBody, message, "%s was delivered as %s and as %s", id, before, body)
	}
	if other, ok := w.delivered[message]; ok && other != id {
		w.violatef(oneBody, message, "delivered as %s and as %s", other, id)
	}
}

// lowIsNotStarved: while a delivery of low priority waits in a process, no more of the others are settled there than the
// weights give them.
func (w *World) lowIsNotStarved(p pool, settled string) {
	total := 0
	for _, weight := range w.scenario.catalogs[0].Priorities {
		total += weight
	}
	now := time.Now()
	for _, h := range w.pools[p] {
		if h.event == settled || w.hasBegun(p.by+" "+h.event) {
			continue
		}
		h.passed++
		if h.lane.Priority != events.Low {
			continue
		}
		// What was begun before it counts as well, and what is before it in its own lane, which takes turns with those beside.
		if limit := total*(h.ahead+1)*w.beside(h.lane) + 2*maxConcurrency; h.until.After(now) && h.passed > limit {
			w.violatef(lowProgresses, messageOf(h.event), "%s waits at %v while %d others are settled", h.event, p, h.passed)
		}
	}
}

// atEnd checks what must hold when nothing is left to do.
func (w *World) atEnd() {
	for _, c := range w.callers {
		if !c.told {
			w.wasRefusedWhole(c)
			continue
		}
		w.hasEnded(c)
		w.hasBoundedAttempts(c)
	}
	w.talliesHeal()
}

// hasEnded: a request that was accepted has one result, which its caller got, if it wanted it and had not canceled.
func (w *World) hasEnded(c *caller) {
	standing, err := w.observer().Look(w.ctx, c.id)
	switch {
	case err != nil:
		w.violatef(nothingLost, c.id, "%s was accepted and is not known: %v", c.name(), err)
		return
	case !standing.Terminal():
		w.violatef(nothingLost, c.id, "%s was accepted and is still %s", c.name(), standing.Status())
		return
	}
	id := w.delivered[c.id]
	if standing.Begun != nil && standing.Begun.Canceled {
		if standing.Ended != nil || id != "" {
			w.violatef(endsOnce, c.id, "%s was canceled, and has a result", c.name())
		}
		return
	}
	switch {
	case !c.confirm.IsZero():
		w.violatef(endsOnce, c.id, "%s was told that it is canceled, and is %s", c.name(), standing.Status())
	case c.receiver != "" && id == "":
		w.violatef(nothingLost, c.id, "the result of %s was not delivered", c.name())
	case id != "" && (id != standing.Ended.EventID || !bytes.Equal(w.bodies[id], standing.Ended.Body)):
		w.violatef(oneBody, c.id, "%s is delivered as %s and polled as %s", id, w.bodies[id], standing.Ended.Body)
	}
	w.isItsOwn(c, standing.Ended.Body)
}

// isItsOwn: a result is of the request, and answers its question.
func (w *World) isItsOwn(c *caller, body []byte) {
	var r events.Result
	if err := json.Unmarshal(body, &r); err != nil || r.MessageID != c.id {
		w.violatef(answersItsOwn, c.id, "%s has the result %s", c.name(), body)
		return
	}
	question := w.question(c.id, c.asked())
	if r.Status == events.StatusCompleted && !strings.HasPrefix(r.Output, question+", call ") {
		w.violatef(answersItsOwn, c.id, "%s asked %q and got %q", c.name(), question, r.Output)
	}
}

// hasBoundedAttempts: the attempts in which a model was called are no more than the model allows. An attempt that was
// handed out more than once, after a crash or a lost answer, may have called and then ended as one that was not begun: it is
// not counted, but its repeats must each have a cause.
func (w *World) hasBoundedAttempts(c *caller) {
	most := 0
	for _, cat := range w.scenario.catalogs {
		most = max(most, cat.Models[c.model].Attempts)
	}
	calls := map[string]int{}
	for _, made := range w.calls {
		if made.message == c.id && !made.shadow {
			calls[made.event]++
		}
	}
	counted := 0
	for event, n := range calls {
		if w.handed[event] <= 1 {
			counted++
		}
		if n > w.handed[event] {
			w.violatef(attemptsBounded, c.id, "%s was handed out %d times and called a model %d times", event, w.handed[event], n)
		}
	}
	if counted > most {
		w.violatef(attemptsBounded, c.id, "%s made %d attempts, at most %d are allowed", c.name(), counted, most)
	}
	if standing, err := w.observer().Look(w.ctx, c.id); err == nil && standing.Ended != nil {
		var r events.Result
		if json.Unmarshal(standing.Ended.Body, &r) == nil && r.Attempts > most {
			w.violatef(attemptsBounded, c.id, "the result of %s says %d attempts, at most %d are allowed", c.name(), r.Attempts, most)
		}
	}
}
