package membus

import (
	"time"

	"baton.dev/baton/events"
)

// Next returns when the lane has a delivery to hand out, at the earliest: the end of a delay, or of a lease that is not
// settled until then. It reports false for an empty lane.
func (b *Bus) Next(lane events.Lane) (time.Time, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var next time.Time
	for i, m := range b.lanes[lane] {
		if i == 0 || m.due.Before(next) {
			next = m.due
		}
	}
	return next, len(b.lanes[lane]) > 0
}
