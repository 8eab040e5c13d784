package health

import (
	"context"
	"testing"
	"time"

	"baton.dev/baton/events"
)

func TestProbesAreOneAtATimeOverAllProcesses(t *testing.T) {
	t.Parallel()
	admit := func(b *Board) bool {
		probe, ok := b.Admit(t.Context(), "a")
		if probe != ok {
			t.Errorf("half-open: %t, %t", probe, ok)
		}
		return ok
	}
	halfOpen := func(t *testing.T) (c *cluster, one, two *Board) {
		c = newCluster(t)
		c.config.Targets = func() []string { return []string{"a"} }
		one, two = c.process(), c.process()
		opens(one)
		c.sync(one, two)
		c.pass(5 * time.Second)
		return c, one, two
	}
	t.Run("the second process waits for the first one's probe", func(t *testing.T) {
		t.Parallel()
		c, one, two := halfOpen(t)
		if !admit(one) || admit(two) || admit(one) {
			t.Error("not one probe")
		}
		c.logged("breaker is half-open", 1)
		one.Report(Outcome{Target: "a", Probe: true})
		c.pass(probeWait)
		if admit(two) {
			t.Error("a probe before it is known how the last one ended")
		}
		c.sync(one)
		c.pass(probeWait)
		if !admit(two) {
			t.Error("no second probe")
		}
		two.Report(Outcome{Target: "a", Probe: true})
		c.sync(two, one)
		c.is(one, Closed)
		c.is(two, Closed)
		c.logged("breaker closed", 1)
	})
	t.Run("a process that has not heard of a failed probe does not probe", func(t *testing.T) {
		t.Parallel()
		c, one, two := halfOpen(t)
		admit(one)
		one.Report(Outcome{Target: "a", Probe: true, Code: events.CodeTimeout})
		c.sync(one)
		c.is(two, HalfOpen)
		if admit(two) {
			t.Error("it probes")
		}
		c.sync(two)
		c.is(two, Open)
		c.pass(10 * time.Second)
		if !admit(two) {
			t.Error("the slot was not given back")
		}
	})
	t.Run("a process that has not heard that it closed admits calls", func(t *testing.T) {
		t.Parallel()
		c, one, two := halfOpen(t)
		for range 2 {
			admit(one)
			one.Report(Outcome{Target: "a", Probe: true})
			c.sync(one)
		}
		if probe, ok := two.Admit(t.Context(), "a"); probe || !ok {
			t.Errorf("%t, %t", probe, ok)
		}
	})
	t.Run("a probe that came to no call gives its slot back", func(t *testing.T) {
		t.Parallel()
		c, one, two := halfOpen(t)
		admit(one)
		one.Report(Outcome{Target: "a", Probe: true, Code: events.CodeBudgetSpent})
		c.sync(one)
		c.is(one, HalfOpen)
		if !admit(two) {
			t.Error("no other probe")
		}
	})
	t.Run("a slot lasts while its process lives, and not for long after", func(t *testing.T) {
		t.Parallel()
		c, one, two := halfOpen(t)
		admit(one)
		for range 60 {
			c.pass(time.Second)
			c.sync(one)
			if admit(two) {
				t.Fatal("two probes at once")
			}
		}
		c.pass(probeTTL)
		if !admit(two) {
			t.Error("the slot of a process that is gone is kept")
		}
	})
	t.Run("a process that ends gives its slots back", func(t *testing.T) {
		t.Parallel()
		c, one, two := halfOpen(t)
		admit(one)
		done, cancel := context.WithCancel(t.Context())
		cancel()
		one.Run(done)
		c.pass(probeWait)
		if !admit(two) {
			t.Error("the slot is kept")
		}
	})
	t.Run("of many that ask at once one gets it, and the store is spared", func(t *testing.T) {
		t.Parallel()
		c, one, two := halfOpen(t)
		admit(one)
		before := c.store.asked()
		for range 100 {
			if admit(two) {
				t.Fatal("two probes at once")
			}
		}
		if got := c.store.asked() - before; got != 1 {
			t.Errorf("the store was asked %d times", got)
		}
	})
	t.Run("a process that does not sync probes again when its probe is over", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		b := c.process()
		opens(b)
		for range probesToClose {
			c.pass(5 * time.Second)
			if !admit(b) {
				t.Fatal("no probe")
			}
			c.pass(time.Minute)
			if probe, ok := b.Admit(t.Context(), "a"); probe || ok {
				t.Fatalf("a second one while the first is out: %t, %t", probe, ok)
			}
			b.Report(Outcome{Target: "a", Probe: true})
		}
		c.is(b, Closed)
	})
	t.Run("a process that does not sync for a while waits for the sync that is under way", func(t *testing.T) {
		t.Parallel()
		c, one, _ := halfOpen(t)
		c.pass(time.Minute)
		admit(one)
		one.Report(Outcome{Target: "a", Probe: true})
		asked := false
		c.store.before = func([]Change) {
			asked = true
			if admit(one) {
				t.Error("its slot is about to be given back, and it probes")
			}
		}
		c.sync(one)
		if !asked || !admit(one) {
			t.Errorf("no probe after the sync (asked while it was under way: %t)", asked)
		}
	})
	t.Run("a caller that leaves while it asks gets none", func(t *testing.T) {
		t.Parallel()
		c, one, two := halfOpen(t)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if probe, ok := one.Admit(gone, "a"); probe || ok {
			t.Errorf("%t, %t", probe, ok)
		}
		if !admit(two) {
			t.Error("nobody gets the slot")
		}
		_ = c
	})
}
