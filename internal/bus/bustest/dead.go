package bustest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

func refusedIsDead(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	e := requested(1, events.Normal)
	publish(t, b, e)
	w := work(t, b, func(context.Context, events.Event) ([]events.Event, error) {
		return nil, hop.Reject(events.ReasonGone, errors.New("receiver is gone: 410 \"é\""))
	}, nil)
	w.await(t, hop.Dead)
	w.stop()
	expectDead(t, b, e, events.ReasonGone, "receiver is gone: 410 \"é\"")
	nothingElse(t, h, b, requested(2, events.Normal))
}

func exhaustedIsDead(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	e := requested(1, events.Normal)
	publish(t, b, e)
	w := work(t, b, func(context.Context, events.Event) ([]events.Event, error) {
		return nil, errors.New("never works")
	}, func(c *hop.Config) { c.Limits.Tries = 3 })
	w.await(t, hop.Dead)
	w.stop()
	expectDead(t, b, e, events.ReasonExhausted, "never works")
	nothingElse(t, h, b, requested(2, events.Normal))
}

func crashLoopIsDead(t *testing.T, h Harness) {
	b, again := h.Open(t)
	e := requested(1, events.Normal)
	publish(t, b, e)
	for range 2 {
		if d := receive(t, b, laneOf(t, e), 1)[0]; d.Number == 0 {
			return // the transport does not count deliveries, and cannot guard against this
		}
		b = again()
	}
	w := work(t, b, func(context.Context, events.Event) ([]events.Event, error) {
		t.Error("the event was handled a third time")
		return nil, nil
	}, func(c *hop.Config) { c.Limits.Deliveries = 2 })
	w.await(t, hop.Dead)
	w.stop()
	expectDead(t, b, e, events.ReasonCrashLoop, "hop: delivered 2 times without an outcome")
}

func redriveKeepsID(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	e := requested(1, events.Normal)
	publish(t, b, e)
	w := work(t, b, func(ctx context.Context, in events.Event) ([]events.Event, error) {
		if in.Copy == 0 {
			return nil, hop.Reject(events.ReasonRefused, errors.New("no"))
		}
		return scheduled(ctx, in)
	}, nil)
	w.await(t, hop.Dead)
	dead := deadLetters(t, b)[0]
	publish(t, b, dead.Event.Redrive())
	if err := b.RemoveDeadLetter(soon(t), dead.Key); err != nil {
		t.Fatal(err)
	}
	if s := w.await(t, hop.Done); s.In.ID != e.ID || s.In.Tries != 0 || s.In.Dead != nil {
		t.Errorf("redriven as %s with %d tries, want %s from the start", s.In.ID, s.In.Tries, e.ID)
	}
	w.stop()
	ack(t, receive(t, b, inferLane, 1)...)
	if left := deadLetters(t, b); len(left) != 0 {
		t.Errorf("%d dead letters are left, want none", len(left))
	}
	if err := b.RemoveDeadLetter(soon(t), dead.Key); err != nil {
		t.Errorf("removing it again: %v", err)
	}
}

// expectDead checks that the event is the one dead letter.
func expectDead(t *testing.T, b hop.DeadLetters, e events.Event, reason events.Reason, detail string) {
	t.Helper()
	all := deadLetters(t, b)
	if len(all) != 1 {
		t.Fatalf("%d dead letters, want one", len(all))
	}
	got := all[0].Event
	if got.ID != e.ID || !bytes.Equal(got.Data, e.Data) {
		t.Errorf("the dead letter is %s with %q, want %s with %q", got.ID, got.Data, e.ID, e.Data)
	}
	if got.Dead == nil || got.Dead.Reason != reason || got.Dead.Detail != detail || got.Dead.Hop != events.Schedule || got.Dead.Time.IsZero() {
		t.Errorf("the dead letter says %+v, want %s at %s: %q", got.Dead, reason, events.Schedule, detail)
	}
}
