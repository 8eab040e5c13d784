package main

import (
	"errors"
	"strings"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/intake"
)

// refusedAtDoor is the dead letter of a message that was no request.
func refusedAtDoor() events.Event {
	e := events.Event{
		ID: "refused-1", Source: "/baton/ingest", Type: intake.RefusedType, Tenant: "a", ErrorCode: "invalid", Data: []byte(`{"a secret":1}`),
		Extra: map[string]any{"place": "baton.in.a", "originid": "order-7"},
	}
	return e.AsDead(events.DeadLetter{Hop: events.Ingest, Reason: events.ReasonRefused, Detail: "/model_id is required", Time: diedAt(1)})
}

func TestWhatWasRefusedAtTheDoorIsNotRedriven(t *testing.T) {
	t.Parallel()
	for _, dry := range []bool{true, false} {
		bus := buried(t, 1)
		if err := bus.Publish(t.Context(), refusedAtDoor()); err != nil {
			t.Fatal(err)
		}
		r, out, stderr := redriverOf(bus)
		r.dryRun = dry
		if err := r.run(t.Context(), nil); !errors.Is(err, errSaid) || !strings.Contains(stderr.String(), "not redriven refused-1: it was refused at the door") {
			t.Errorf("%v: %s%s", err, out, stderr)
		}
		if !strings.Contains(out.String(), "1 dead letter ") || !strings.Contains(out.String(), ", 1 not.") {
			t.Errorf("said %s", out)
		}
		kept := false
		for _, e := range left(t, bus) {
			kept = kept || e.ID == "refused-1"
		}
		if !kept || len(waiting(t, bus)) != map[bool]int{true: 0, false: 1}[dry] {
			t.Errorf("kept: %t", kept)
		}
	}
}

func TestDeadShowSaysThatASenderIsToMendWhatWasRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	bus := buried(t, 0)
	if err := bus.Publish(t.Context(), refusedAtDoor()); err != nil {
		t.Fatal(err)
	}
	c, out, _ := quiet()
	if err := (deadShowCommand{ID: "refused-1"}).show(t.Context(), c, bus, diedAt(5)); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"died at     ingest", "/model_id is required", "Its sender is to mend it", "came from   baton.in.a", "sender's id order-7"} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("it does not say %q: %s", says, out)
		}
	}
	if strings.Contains(out.String(), "a secret") {
		t.Error("the message's data is shown")
	}
}
