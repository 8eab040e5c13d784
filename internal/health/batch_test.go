package health

import (
	"testing"
	"time"

	"baton.dev/baton/events"
)

// A process that is frozen while it has nothing to do, as a function of AWS Lambda is, never runs its board: it syncs before
// and after each batch of work.
func TestAProcessThatSyncsAroundEachBatch(t *testing.T) {
	t.Parallel()
	// batch asks for n calls one after the other, each of which takes so long and ends with the code, and returns how many
	// were made.
	batch := func(c *cluster, b *Board, n int, took time.Duration, code string) (called int) {
		c.sync(b)
		for range n {
			probe, ok := b.Admit(c.Context(), "a")
			if !ok {
				continue
			}
			called++
			c.pass(took)
			b.Report(Outcome{Target: "a", Code: code, Latency: took, Probe: probe})
		}
		c.sync(b)
		return called
	}
	for name, took := range map[string]time.Duration{"short calls": 100 * time.Millisecond, "long calls": 90 * time.Second} {
		t.Run("sees a breaker open and close as others do, with "+name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			c.config.Targets = func() []string { return []string{"a"} }
			functions := []*Board{c.process(), c.process(), c.process()}
			schedule := c.process()
			batch(c, functions[0], 10, took, events.CodeTimeout)
			c.sync(schedule)
			c.is(schedule, Open)
			if n := batch(c, functions[1], 10, took, ""); n != 0 {
				t.Errorf("another makes %d calls", n)
			}
			c.pass(firstPause) // the target is well
			batches := 0
			for ; functions[0].Status("a").State != Closed && batches < 10; batches++ {
				batch(c, functions[batches%len(functions)], 10, took, "")
				c.sync(functions[0])
			}
			if batches > probesToClose {
				t.Errorf("it takes calls after %d batches", batches)
			}
			c.sync(append(functions, schedule)...)
			for _, b := range append(functions, schedule) {
				c.is(b, Closed)
			}
			c.logged("breaker closed", 1)
		})
		t.Run("probes an ill target a few times, with "+name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			b := c.process()
			batch(c, b, 10, took, events.CodeTimeout)
			probes := 0
			const batches = 20
			for range batches {
				c.pass(longestPause)
				probes += batch(c, b, 10, took, events.CodeTimeout)
			}
			if probes != batches {
				t.Errorf("%d probes in %d batches", probes, batches)
			}
		})
	}
	t.Run("that is gone with a probe under way keeps the others waiting for ten seconds", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		c.config.Targets = func() []string { return []string{"a"} }
		gone, other := c.process(), c.process()
		batch(c, gone, 10, 0, events.CodeTimeout)
		c.pass(firstPause)
		c.sync(gone)
		if probe, ok := gone.Admit(t.Context(), "a"); !probe || !ok {
			t.Fatalf("%t, %t", probe, ok)
		}
		if n := batch(c, other, 10, 0, ""); n != 0 {
			t.Errorf("%d calls beside the probe", n)
		}
		c.pass(probeTTL)
		batch(c, other, 1, 0, "")
		batch(c, other, 1, 0, "")
		c.is(other, Closed)
	})
}
