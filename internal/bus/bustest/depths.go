package bustest

import (
	"maps"
	"testing"
	"time"

	"baton.dev/baton/events"
)

func depthsCounted(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	if h.Depths == nil {
		return // the transport does not tell
	}
	expect := func(when string, want map[events.Lane]int) {
		t.Helper()
		ctx := soon(t)
		var got map[events.Lane]int
		for ctx.Err() == nil { // the numbers of a broker may lag behind
			var err error
			if got, err = h.Depths(ctx, b); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			if maps.Equal(got, want) {
				return
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		t.Errorf("%s: depths %v, want %v", when, got, want)
	}
	normal := events.Lane{Hop: events.Schedule, Priority: events.Normal}
	low := events.Lane{Hop: events.Schedule, Priority: events.Low}
	expect("at first", nil)
	work := requested(4, events.Normal)
	out, err := scheduled(t.Context(), work)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, b, requested(1, events.Normal), requested(2, events.Normal), requested(3, events.Low))
	publish(t, b, out...)
	expect("stored", map[events.Lane]int{normal: 2, low: 1, inferLane: 1})
	handed := receive(t, b, normal, 2)
	expect("handed out", map[events.Lane]int{normal: 2, low: 1, inferLane: 1})
	ack(t, handed[0])
	expect("acknowledged", map[events.Lane]int{normal: 1, low: 1, inferLane: 1})
	ack(t, handed[1])
	ack(t, receive(t, b, low, 1)...)
	ack(t, receive(t, b, inferLane, 1)...)
	expect("all acknowledged", nil)
}

func depthsCountWhatWaitsForATime(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	if h.Depths == nil {
		return
	}
	e := requested(1, events.Normal)
	e.NotBefore = time.Now().Add(time.Hour)
	publish(t, b, e)
	got, err := h.Depths(soon(t), b)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for lane, n := range got {
		if lane.Hop != events.Schedule {
			t.Errorf("%d in %s", n, lane)
		}
		total += n
	}
	if total != 1 {
		t.Errorf("depths %v, want one event of schedule", got)
	}
}
