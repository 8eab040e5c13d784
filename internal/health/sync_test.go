package health

import (
	"sync"
	"testing"
	"time"

	"baton.dev/baton/events"
)

func TestProcessesShareWhatTheySee(t *testing.T) {
	t.Parallel()
	t.Run("an open breaker is open everywhere, and logged once", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		c.config.Targets = func() []string { return []string{"a", "b"} }
		one, two := c.process(), c.process()
		opens(one)
		c.is(one, Open)
		c.is(two, Closed)
		c.sync(one, two)
		c.is(two, Open)
		c.sync(one, two, one, two)
		c.logged("breaker opened", 1)
	})
	t.Run("failures in a row are those of all", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one, two := c.process(), c.process()
		report(one, 3, events.CodeTimeout)
		report(two, 2, events.CodeTimeout)
		c.sync(one, two, one)
		c.is(one, Open)
		c.is(two, Open)
		c.logged("breaker opened", 1)
	})
	t.Run("the shared record is right where it says otherwise", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one, two := c.process(), c.process()
		report(one, 4, events.CodeTimeout)
		c.sync(one)
		report(two, 1, "")
		c.sync(two)
		report(one, 1, events.CodeTimeout)
		c.is(one, Open) // as it sees it
		c.sync(one)
		c.is(one, Closed)
		c.logged("breaker", 0)
	})
	t.Run("figures add up, whoever shares first", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		var boards []*Board
		for range 8 {
			boards = append(boards, c.process())
		}
		var wg sync.WaitGroup
		for i, b := range boards {
			wg.Go(func() {
				for n := range 50 {
					report(b, 1, "")
					if n%7 == i%7 {
						_ = b.Sync(t.Context()) // one of many may have no turn
					}
				}
			})
		}
		wg.Wait()
		for range 2 { // the last of them have been told of nothing yet
			c.sync(boards...)
		}
		for _, b := range boards {
			if got := b.Status("a"); got.Attempts != 400 {
				t.Errorf("%+v", got)
			}
		}
	})
	t.Run("what is reported while a sync is under way is counted once", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one := c.process()
		report(one, 1, "")
		c.store.before = func([]Change) { report(one, 1, "") }
		c.sync(one)
		c.store.before = nil
		if got := one.Status("a").Attempts; got != 2 {
			t.Errorf("%v attempts, want 2", got)
		}
		c.sync(one)
		if got := one.Status("a").Attempts; got != 2 {
			t.Errorf("%v attempts after the next, want 2", got)
		}
	})
	t.Run("two that see the same at the same time have seen it twice", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one, two := c.process(), c.process()
		report(one, 1, "")
		report(two, 1, "")
		c.store.before = func([]Change) {
			c.store.before = nil
			c.sync(two)
		}
		c.sync(one)
		if got := one.Status("a").Attempts; got != 2 {
			t.Errorf("%v attempts, want 2", got)
		}
	})
	t.Run("a record that others write all the time waits for the next sync", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one, two := c.process(), c.process()
		opens(one)
		swaps := 0
		// Each swap of one loses against one of two.
		var lose func([]Change)
		lose = func([]Change) {
			swaps++
			c.store.before = nil
			report(two, 1, "")
			c.sync(two)
			c.store.before = lose
		}
		c.store.before = lose
		c.sync(one)
		c.store.before = nil
		if swaps != swapTries {
			t.Errorf("%d swaps, want %d", swaps, swapTries)
		}
		c.logged("breaker opened", 0)
		c.sync(one)
		c.is(one, Open)
		c.logged("breaker opened", 1)
		if got := len(one.targets["a"].queue); got != 0 {
			t.Errorf("%d observations are left", got)
		}
	})
	t.Run("a record that cannot be read is replaced by what is known", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		one, two := c.process(), c.process()
		opens(one)
		c.sync(one)
		kept, _ := c.store.Read(t.Context(), []string{"a"}, start)
		if _, err := c.store.Swap(t.Context(), []Change{{"a", kept[0], []byte("{")}}, start, time.Hour); err != nil {
			t.Fatal(err)
		}
		c.sync(one)
		report(two, 1, "")
		c.sync(two)
		c.is(two, Open)
		c.logged("health record was replaced", 1)
	})
	t.Run("targets that are gone are forgotten", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		names := []string{"a", "b"}
		c.config.Targets = func() []string { return names }
		b := c.process()
		opens(b)
		c.sync(b)
		names = []string{"b"}
		c.sync(b)
		if got := b.Status("a"); got != (Status{}) || len(b.targets) != 1 {
			t.Errorf("%+v of %d targets", got, len(b.targets))
		}
		names = []string{"a", "b"}
		c.sync(b)
		c.is(b, Open)
	})
}
