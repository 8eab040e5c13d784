package hop_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func requested(n int) events.Event {
	r := events.Request{RequestID: fmt.Sprintf("r-%d", n), ModelID: "m"}
	return events.New("t", r, events.Normal, []byte("{}"), now, now.Add(time.Hour))
}

func TestClassify(t *testing.T) {
	limits := hop.Limits{Tries: 3, Backoff: hop.Backoff{Base: time.Second, Max: time.Minute}}
	fault := errors.New("fault")
	for name, tc := range map[string]struct {
		tries  int
		err    error
		kind   hop.Kind
		after  time.Duration
		reason events.Reason
	}{
		"nil is done": {0, nil, hop.Done, 0, ""},
		"an error is tried again after the backoff":  {1, fault, hop.Retry, limits.Backoff.Delay(1, requested(1).ID), ""},
		"a named delay is kept":                      {0, hop.RetryAfter(fault, time.Hour), hop.Retry, time.Hour, ""},
		"a named delay is kept when it is wrapped":   {0, fmt.Errorf("callback: %w", hop.RetryAfter(fault, time.Hour)), hop.Retry, time.Hour, ""},
		"a negative delay is none":                   {0, hop.RetryAfter(fault, -time.Hour), hop.Retry, 0, ""},
		"what is away on this side counts no try":    {2, fmt.Errorf("x: %w", hop.Unavailable(fault)), hop.Return, 0, ""},
		"what waits for a time counts no try":        {2, fmt.Errorf("x: %w", hop.Park(fault, now)), hop.Parked, 0, ""},
		"a rejection is a dead letter":               {0, hop.Reject(events.ReasonGone, fault), hop.Dead, 0, events.ReasonGone},
		"a wrapped rejection is a dead letter":       {0, fmt.Errorf("x: %w", hop.Reject(events.ReasonGone, fault)), hop.Dead, 0, events.ReasonGone},
		"the last allowed try is a dead letter":      {2, fault, hop.Dead, 0, events.ReasonExhausted},
		"so is one that names a delay":               {2, hop.RetryAfter(fault, time.Hour), hop.Dead, 0, events.ReasonExhausted},
		"a rejection on the last try has its reason": {2, hop.Reject(events.ReasonGone, fault), hop.Dead, 0, events.ReasonGone},
	} {
		t.Run(name, func(t *testing.T) {
			in := requested(1)
			in.Tries = tc.tries
			o := limits.Classify(in, tc.err)
			if o.Kind != tc.kind || o.After != tc.after || o.Reason != tc.reason || !errors.Is(o.Err, tc.err) && tc.err != nil {
				t.Errorf("classified as %+v", o)
			}
		})
	}
}

func TestAdmit(t *testing.T) {
	limits := hop.Limits{Hops: 10, Deliveries: 5}
	with := func(change func(*hop.Delivery)) hop.Delivery {
		d := hop.Delivery{Event: requested(1), Number: 1}
		change(&d)
		return d
	}
	for name, tc := range map[string]struct {
		delivery hop.Delivery
		kind     hop.Kind
		reason   events.Reason
	}{
		"an event for the hop is admitted":        {with(func(*hop.Delivery) {}), "", ""},
		"the last hop and delivery are admitted":  {with(func(d *hop.Delivery) { d.Event.Hops, d.Number = 10, 5 }), "", ""},
		"one that is due is admitted":             {with(func(d *hop.Delivery) { d.Event.NotBefore = now }), "", ""},
		"bytes that are no event are dead":        {with(func(d *hop.Delivery) { d.Err = errors.New("no event") }), hop.Dead, events.ReasonUndecodable},
		"an event for another hop is dead":        {with(func(d *hop.Delivery) { d.Event.Type = events.Completed }), hop.Dead, events.ReasonUnroutable},
		"an event of no type of the chain is too": {with(func(d *hop.Delivery) { d.Event.Type = "other" }), hop.Dead, events.ReasonUnroutable},
		"a loop is dead":                          {with(func(d *hop.Delivery) { d.Event.Hops = 11 }), hop.Dead, events.ReasonLoop},
		"a crash loop is dead":                    {with(func(d *hop.Delivery) { d.Number = 6 }), hop.Dead, events.ReasonCrashLoop},
		"an early event is given back":            {with(func(d *hop.Delivery) { d.Event.NotBefore = now.Add(time.Second) }), hop.Return, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := limits.Admit(events.Schedule, tc.delivery, now)
			if o == nil {
				o = &hop.Outcome{}
			}
			if o.Kind != tc.kind || o.Reason != tc.reason {
				t.Errorf("admitted as %+v", o)
			}
			if o.Kind == hop.Return && o.After != time.Second {
				t.Errorf("given back for %v", o.After)
			}
		})
	}
}

func TestBackoffDoublesUpToItsMaximum(t *testing.T) {
	b := hop.Backoff{Base: 100 * time.Millisecond, Max: 5 * time.Second}
	for try, full := range map[int]time.Duration{
		0: 100 * time.Millisecond, 1: 200 * time.Millisecond, 2: 400 * time.Millisecond, 5: 3200 * time.Millisecond,
		6: 5 * time.Second, 61: 5 * time.Second, 64: 5 * time.Second, math.MaxInt: 5 * time.Second, -1: 100 * time.Millisecond,
	} {
		for _, seed := range []string{"a", "b", "c", "d"} {
			d := b.Delay(try, seed)
			if d > full || d < full/2 {
				t.Errorf("try %d of %s waits %v, want %v to %v", try, seed, d, full/2, full)
			}
			if again := b.Delay(try, seed); again != d {
				t.Errorf("try %d of %s waits %v and then %v", try, seed, d, again)
			}
		}
	}
	if b.Delay(3, "a") == b.Delay(3, "b") {
		t.Error("two seeds wait alike: there is no jitter")
	}
	if d := (hop.Backoff{}).Delay(0, "a"); d < 250*time.Millisecond || d > 500*time.Millisecond {
		t.Errorf("the default waits %v first", d)
	}
}
