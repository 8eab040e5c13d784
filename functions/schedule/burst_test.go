package schedule_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// burst is many equal requests at once, each of which is done by infer in the same time, so many of them at once.
type burst struct {
	cached
	places int
	call   time.Duration
	// done says what infer does when the call is over; what it returns goes back to schedule, if anything does.
	done func(scheduled events.Event) []events.Event

	agenda []step
	calls  int // under way
	most   int // at once
	queue  []events.Event
	ended  map[events.Type]int
	last   time.Duration // when the last ended
}

// step is what is done at a time.
type step struct {
	at time.Time
	do func()
}

func (b *burst) at(when time.Time, do func()) {
	i, _ := slices.BinarySearchFunc(b.agenda, when, func(s step, t time.Time) int { return cmp.Or(s.at.Compare(t), -1) })
	b.agenda = slices.Insert(b.agenda, i, step{when, do})
}

// run handles n requests, each with the time to its deadline, to their ends.
func (b *burst) run(n int, deadline time.Duration) {
	b.t.Helper()
	b.ended = map[events.Type]int{}
	for i := range n {
		in := request(i)
		in.CacheKey, in.Expiry = "key", now.Add(deadline)
		b.at(now, func() { b.handle(in) })
	}
	for len(b.agenda) > 0 {
		next := b.agenda[0]
		b.agenda, b.now = b.agenda[1:], next.at
		next.do()
	}
}

func (b *burst) handle(in events.Event) {
	b.t.Helper()
	out, err := b.handler(b.t.Context(), in)
	o := (hop.Limits{}).Classify(in, err)
	switch {
	case o.Kind == hop.Parked:
		b.at(o.Until, func() { b.handle(in.Parked(o.Until)) })
	case err != nil:
		b.t.Fatal(err)
	case out[0].Type == events.Scheduled:
		b.queue = append(b.queue, out[0])
		b.begin()
	default:
		b.end(out[0].Type)
	}
}

func (b *burst) end(as events.Type) {
	b.ended[as]++
	b.last = b.now.Sub(now)
}

func (b *burst) begin() {
	for b.calls < b.places && len(b.queue) > 0 {
		ev := b.queue[0]
		b.queue = b.queue[1:]
		if !b.now.Before(ev.Expiry) {
			b.handle(sentBack(ev, events.CodeExpired, b.now))
			continue
		}
		b.calls++
		b.most = max(b.most, b.calls)
		b.at(b.now.Add(b.call), func() {
			b.calls--
			for _, back := range b.done(ev) {
				b.handle(back)
			}
			b.begin()
		})
	}
}

func newBurst(t *testing.T) *burst {
	t.Helper()
	b := &burst{cached: newCached(t, nil), places: 64, call: 5 * time.Second}
	m := b.catalog.Models["m"]
	m.Targets, m.Fallback = m.Targets[:1], nil
	return b
}

func TestEqualRequestsWhoseAnswersAreCutShortDoNotGoOneByOne(t *testing.T) {
	t.Parallel()
	b := newBurst(t)
	b.done = func(ev events.Event) []events.Event {
		b.answers.Keep(t.Context(), ev.CacheKey, ev.Subject, events.Result{
			Status: events.StatusCompleted, Output: "and so", FinishReason: "length",
		}, time.Hour)
		b.end(events.Completed)
		return nil
	}
	b.run(500, 5*time.Minute)
	// The first call shows it, those who follow look again within 2 s, and then 64 at once need 8 calls.
	if b.ended[events.Completed] != 500 || b.last > 48*time.Second {
		t.Errorf("ended %v, the last after %v", b.ended, b.last)
	}
}

func TestOfEqualRequestsAFewTryAtOnceWhenTheLeaderFailed(t *testing.T) {
	t.Parallel()
	b := newBurst(t)
	b.done = func(ev events.Event) []events.Event {
		return []events.Event{sentBack(ev, events.CodeUnusableOutput, b.now)}
	}
	b.catalog.Models["m"].Attempts = 1
	b.run(100, time.Hour)
	// One, and then eight at once, each after a look.
	if b.ended[events.Failed] != 100 || b.most != 8 || b.last > 110*time.Second {
		t.Errorf("ended %v, %d at once, the last after %v", b.ended, b.most, b.last)
	}
}

func TestEqualRequestsAreAnsweredByTheFirstThatSucceeds(t *testing.T) {
	t.Parallel()
	b := newBurst(t)
	calls := 0
	b.catalog.Models["m"].Attempts = 1
	b.done = func(ev events.Event) []events.Event {
		calls++
		if calls == 1 {
			return []events.Event{sentBack(ev, events.CodeUnusableOutput, b.now)}
		}
		b.answers.Keep(t.Context(), ev.CacheKey, ev.Subject, events.Result{Status: events.StatusCompleted, Output: "42"}, time.Hour)
		b.end(events.Completed)
		return nil
	}
	b.run(500, 5*time.Minute)
	if b.ended[events.Completed] != 499 || b.ended[events.Failed] != 1 || calls != 9 {
		t.Errorf("ended %v after %d calls, want one failure and 9 calls", b.ended, calls)
	}
}

func TestOneThatFollowsHasHalfOfItsTimeToDoSo(t *testing.T) {
	t.Parallel()
	c := newCached(t, nil)
	c.one(c.asked(1, false))
	follower := c.asked(2, false)
	follower.Expiry = now.Add(time.Minute)
	for c.now.Before(now.Add(30 * time.Second)) {
		c.answers.Lead(t.Context(), "key", c.asked(1, false).Subject, time.Hour)
		follower = c.parked(follower)
		c.now = follower.NotBefore
	}
	if !c.now.Equal(now.Add(30 * time.Second)) {
		t.Errorf("it is parked until %v after it was accepted, and has a minute", c.now.Sub(now))
	}
	if out := c.one(follower); out.Type != events.Scheduled || out.CacheKey != "key" {
		t.Errorf("emitted %s with key %q", out.Type.Step(), out.CacheKey)
	}
}
