package schedule_test

import (
	"sync"
	"testing"

	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
)

func TestDecisionsAtOnce(t *testing.T) {
	t.Parallel()
	robin := model("m", target("a", 3), target("b", 1), target("half", 1))
	robin.Strategy = catalog.RoundRobin
	r := newRig(t, offering(robin), schedule.Config{Health: known{"half": {State: health.HalfOpen}}})
	var (
		mu  sync.Mutex
		got = map[string]int{}
		wg  sync.WaitGroup
	)
	const workers, each = 8, 500
	for w := range workers {
		wg.Go(func() {
			for n := range each {
				out, err := r.handler(t.Context(), request(w*each+n))
				if err != nil || len(out) != 1 {
					t.Errorf("schedule: %v, %v", out, err)
					return
				}
				mu.Lock()
				got[out[0].Target]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got["half"] != 1 {
		t.Errorf("at one time a half-open target was offered %d requests", got["half"])
	}
	// Each race that was lost for the half-open target's turn took a turn in the round: one for each worker at most.
	if got["a"] < 3*got["b"]-3*workers || got["a"] > 3*got["b"]+3*workers {
		t.Errorf("of %d requests a got %d and b %d", workers*each, got["a"], got["b"])
	}
}
