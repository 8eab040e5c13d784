package replay

import (
	"slices"
	"strconv"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/seeded"
)

// outcome is how one call went.
type outcome struct {
	began   time.Time
	service time.Duration
	code    string // "" is success
}

// never is longer than any call may take: the deadline or the timeout cuts it short.
const never = 365 * 24 * time.Hour

const (
	// window is how far from a call's start those begin that it is like: a target's mood lasts about so long.
	window = time.Minute
	// fewest is how many calls one is drawn from, where the trace has as many.
	fewest = 20
)

// history is how the calls of one target went.
type history struct {
	own  map[string][]outcome // by message, in the order of its attempts
	all  []outcome            // those that say how the target does, by when they began
	cuts int                  // calls that say only how long a call took at least
}

// add takes a call in. One that its own request's deadline or contents ended says nothing of how another would go.
func (h *history) add(messageID string, o outcome) {
	h.own[messageID] = append(h.own[messageID], o)
	switch {
	case o.code == events.CodeDeadline:
		h.cuts++
	case !events.Final(o.code):
		h.all = append(h.all, o)
	}
}

func (h *history) sort() { slices.SortFunc(h.all, compareOutcomes) }

// draw returns how the message's n-th call of the target goes, from 0, if it begins at the given time. label names the call
// for the draw.
func (h *history) draw(messageID string, n int, at time.Time, label string, seed uint64) outcome {
	unit := seeded.Unit(label, int(seed))
	if own := h.own[messageID]; n < len(own) {
		o := own[n]
		if o.code != events.CodeDeadline {
			return o
		}
		// It took longer than this. How much longer, those say that did.
		return pick(h.longer(o.service), unit)
	}
	return pick(h.near(at), unit)
}

// pick returns the outcome at the point in [0, 1); one that never ends where there is none.
func pick(from []outcome, unit float64) outcome {
	if len(from) == 0 {
		return outcome{service: never}
	}
	return from[int(unit*float64(len(from)))]
}

// longer returns the calls that took longer than d.
func (h *history) longer(d time.Duration) []outcome {
	var longer []outcome
	for _, o := range h.all {
		if o.service > d {
			longer = append(longer, o)
		}
	}
	return longer
}

// near returns the calls that began about the time: those within the window, or the nearest few, whichever are more.
func (h *history) near(at time.Time) []outcome {
	from := func(at time.Time) int {
		i, _ := slices.BinarySearchFunc(h.all, at, func(o outcome, at time.Time) int { return o.began.Compare(at) })
		return i
	}
	low, high := from(at.Add(-window)), from(at.Add(window))
	for high-low < fewest && (low > 0 || high < len(h.all)) {
		switch {
		case low == 0:
			high++
		case high == len(h.all), at.Sub(h.all[low-1].began) <= h.all[high].began.Sub(at):
			low--
		default:
			high++
		}
	}
	return h.all[low:high]
}

// callLabel names a call for a draw, apart from what the scheduler draws by.
func callLabel(messageID, target string, n int) string {
	return "replay " + messageID + " " + target + " " + strconv.Itoa(n)
}
