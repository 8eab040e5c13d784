package simulation

import (
	"slices"
	"strings"
	"time"
)

// Fault is what goes wrong at an effect.
type Fault string

// The faults.
const (
	Fails       Fault = "fails"        // nothing takes place, and its process is told so
	LosesAnswer Fault = "loses answer" // it takes place, and its process is told that it did not
	CrashBefore Fault = "crash before"
	CrashAfter  Fault = "crash after"
	Late        Fault = "late"    // everything else may go first
	Lost        Fault = "lost"    // a delivery never arrives; its lease runs out
	Doubled     Fault = "doubled" // a delivery arrives once more
)

// possible is which faults an effect can have. An answer of a model, once it is on its way, can only find its process gone.
var possible = map[Kind][]Fault{
	Publish: {Fails, LosesAnswer, CrashBefore, CrashAfter, Late},
	Receive: {Fails, CrashAfter, Late, Lost, Doubled},
	Ack:     {Fails, LosesAnswer, CrashBefore, CrashAfter, Late},
	Return:  {Fails, LosesAnswer, CrashBefore, Late},
	Extend:  {Fails, LosesAnswer, CrashBefore},
	Write:   {Fails, LosesAnswer, CrashBefore, CrashAfter, Late},
	Read:    {Fails, CrashBefore, Late},
	Share:   {Fails, LosesAnswer, CrashBefore, CrashAfter, Late},
	Call:    {CrashBefore, CrashAfter, Late},
	Answer:  {CrashBefore},
	Post:    {Fails, LosesAnswer, CrashBefore, CrashAfter, Late},
}

// Plan is what is left out of a world that the seed decides for. The zero value leaves out nothing.
type Plan struct {
	Leave map[string]bool // requests and faults, by the names that a [Report] has for them
}

// fault returns what goes wrong at the effect, or "".
func (w *World) fault(e *effect) Fault {
	if e.by == nil || e.delayed || !w.faulty() {
		return ""
	}
	at := w.chance.unit(e.id, 1)
	for _, f := range possible[e.kind] {
		rate := w.scenario.rates[f]
		if at < rate {
			if w.scenario.calm && !spares(e, f) {
				return ""
			}
			if w.plan.Leave[e.id] {
				return ""
			}
			w.faults = append(w.faults, e.id)
			return f
		}
		at -= rate
	}
	return ""
}

// spares reports whether the fault leaves alone what processes share: the leases of what they do, and the answers, which may
// be slow.
func spares(e *effect, f Fault) bool {
	if e.kind != Share {
		return e.kind != Extend
	}
	step, _, _ := strings.Cut(e.subject, " ")
	return f == Late && slices.Contains([]string{"get", "put", "lead", "land", "widen"}, step)
}

// faulty reports whether the time of faults is not over.
func (w *World) faulty() bool { return time.Since(w.began) < w.scenario.faults }
