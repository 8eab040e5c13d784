package health

import (
	"context"
	"testing"
	"time"

	"baton.dev/baton/events"
)

func TestAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	t.Run("leaves each process with what it sees, and is logged once", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one, two := c.process(), c.process()
		c.store.set(true, false)
		for range 5 {
			if err := one.Sync(t.Context()); err == nil {
				t.Error("no error")
			}
			report(one, 1, events.CodeTimeout)
		}
		c.is(one, Open)
		c.is(two, Closed)
		c.pass(5 * time.Second)
		for range 2 {
			if probe, ok := one.Admit(t.Context(), "a"); !probe || !ok {
				t.Errorf("no probe of its own: %t, %t", probe, ok)
			}
			one.Report(Outcome{Target: "a", Probe: true})
		}
		c.is(one, Closed)
		c.logged("health store is away", 1)
		c.logged("breaker opened", 1)
		c.logged("breaker closed", 1)
		c.store.set(false, false)
		c.sync(one, one)
		c.logged("health store is back", 1)
		c.logged("breaker opened", 1)
		c.logged("breaker closed", 1)
		report(two, 1, "")
		c.sync(two)
		if got := two.Status("a"); got.State != Closed || got.Attempts != 1 || two.targets["a"].base.Breaker.Since.IsZero() {
			t.Errorf("what was seen meanwhile is not shared: %+v", got)
		}
	})
	t.Run("does not keep a change from being logged that it was to hear of", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one := c.process()
		opens(one)
		c.store.set(true, false)
		_ = one.Sync(t.Context())
		_ = one.Sync(t.Context())
		c.logged("breaker opened", 1)
		c.store.set(false, false)
		c.sync(one)
		c.logged("breaker opened", 1)
	})
	t.Run("does not make a caller that gives up an outage", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one := c.process()
		opens(one)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := one.Sync(gone); err == nil {
			t.Error("no error")
		}
		c.logged("away", 0)
		c.sync(one)
		c.logged("breaker opened", 1)
	})
	t.Run("has the shared record back with what was seen meanwhile on top", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one, two := c.process(), c.process()
		report(one, 3, "")
		c.sync(one)
		report(two, 10, events.CodeInvalidRequest)
		report(two, 4, "")
		c.sync(two)
		c.store.set(true, false)
		_ = one.Sync(t.Context())
		report(one, 4, "")
		c.store.set(false, false)
		c.sync(one)
		if got := one.Status("a").Attempts; got != 11 {
			t.Errorf("%v attempts, want 3 + 4 + 4", got)
		}
	})
	t.Run("is told again what it lost", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		c.config.Targets = func() []string { return []string{"a"} }
		one, two := c.process(), c.process()
		one.Report(Outcome{Target: "a", Code: events.CodeQuotaExhausted, RetryAt: start.Add(3 * time.Hour)})
		c.sync(one)
		c.store.lose()
		c.sync(one)
		c.sync(two)
		if got := two.Status("a"); got.State != Open || !got.Until.Equal(start.Add(3*time.Hour)) {
			t.Errorf("%+v", got)
		}
		c.logged("breaker opened", 1)
	})
	t.Run("is not told twice what it wrote before its answer was lost", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one, two := c.process(), c.process()
		report(one, 3, events.CodeTimeout)
		c.store.set(false, true)
		if err := one.Sync(t.Context()); err == nil {
			t.Error("no error")
		}
		report(one, 1, events.CodeTimeout)
		c.store.set(false, false)
		c.sync(one)
		report(two, 0, "")
		c.sync(two)
		c.is(one, Closed)
		if got := one.Status("a").Failures; got != 4 {
			t.Errorf("%v failures, want 4", got)
		}
	})
	t.Run("is not kept from more than it was told, when it was told so much that some was dropped", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one := c.process()
		report(one, 10, "")
		c.store.set(false, true)
		_ = one.Sync(t.Context())
		report(one, maxQueue, "")
		c.store.set(false, false)
		c.sync(one)
		if got := one.Status("a").Attempts; got != maxQueue+10 {
			t.Errorf("%v attempts, want %d", got, maxQueue+10)
		}
	})
	t.Run("is told as much as can be kept", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one := c.process()
		c.store.set(true, false)
		_ = one.Sync(t.Context())
		one.Report(Outcome{Target: "a", Code: events.CodeQuotaExhausted, RetryAt: start.Add(time.Hour)})
		report(one, 3*maxQueue, "")
		if got := len(one.targets["a"].queue); got != maxQueue {
			t.Errorf("%d observations are kept, want %d", got, maxQueue)
		}
		c.is(one, Open)
		_ = one.Sync(t.Context())
		c.is(one, Open)
		c.store.set(false, false)
		c.sync(one)
		c.is(one, Open) // nobody knew better
	})
	t.Run("that fails while a probe is under way costs no target for ever", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one := c.process()
		opens(one)
		c.sync(one)
		c.pass(5 * time.Second)
		one.Admit(t.Context(), "a")
		c.store.set(true, false)
		one.Report(Outcome{Target: "a", Probe: true})
		_ = one.Sync(t.Context())
		if probe, ok := one.Admit(t.Context(), "a"); !probe || !ok {
			t.Errorf("no second probe: %t, %t", probe, ok)
		}
		one.Report(Outcome{Target: "a", Probe: true})
		c.is(one, Closed)
		c.store.set(false, false)
		c.sync(one)
		c.is(one, Closed)
	})
}
