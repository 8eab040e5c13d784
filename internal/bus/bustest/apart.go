package bustest

import (
	"testing"
	"time"

	"baton.dev/baton/events"
)

// apartIsReached checks that an event that waits apart is received from its tenant's own lane, and does not stand in the way
// of the target's lane; or, on a transport that keeps tenants apart by itself, from the target's lane.
func apartIsReached(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	own := requested(1, events.Normal).Next(events.Schedule, events.Scheduled, 1, time.Now())
	own.Target, own.Tenant, own.Apart = inferLane.Target, "ten.ant_1", true
	shared := requested(2, events.Normal).Next(events.Schedule, events.Scheduled, 1, time.Now())
	shared.Target = inferLane.Target
	publish(t, b, own, shared)
	if !h.Apart {
		for _, d := range receive(t, b, laneOf(t, shared), 2) {
			ack(t, d)
		}
		return
	}
	for _, want := range []events.Event{shared, own} {
		d := receive(t, b, laneOf(t, want), 1)[0]
		if d.Event.ID != want.ID || d.Event.Apart != want.Apart {
			t.Errorf("received %s from %s, want %s", d.Event.ID, laneOf(t, want), want.ID)
		}
		ack(t, d)
	}
}
