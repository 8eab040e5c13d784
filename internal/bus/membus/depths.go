package membus

import (
	"context"

	"baton.dev/baton/events"
)

// Depths returns how many events of each lane are not settled: those that wait, for their time too, and those that are handed
// out. Lanes without any are left out.
func (b *Bus) Depths(context.Context) (map[events.Lane]int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	depths := map[events.Lane]int{}
	for lane, waiting := range b.lanes {
		if len(waiting) > 0 {
			depths[lane] = len(waiting)
		}
	}
	return depths, nil
}
