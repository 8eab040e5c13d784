package awslambda

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/shared"
)

// Nothing runs in a process of Lambda between two batches: what one saw must be known to another with its next batch.
func TestWhatOneProcessSawTheNextBatchOfAnotherKnows(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	stores := shared.Memory()
	stores.Health = health.NewMemory()
	join := func(r *rig) {
		var err error
		r.parts.shared, err = shared.New(shared.Config{
			Stores: stores, Catalog: r.parts.catalog, Results: r.results, Log: r.parts.log,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	sick := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
	})
	one := newRig(t, events.Infer, sick, func(c *catalog.Catalog) { c.Models["m"].Targets[0].Concurrency = 1 })
	join(one)
	for n := range 5 {
		one.invoke(time.Minute, record(t, n, scheduled(n)))
	}
	two := newRig(t, events.Infer, sick, nil)
	join(two)
	two.invoke(time.Minute, record(t, 9, scheduled(9)))
	if n := calls.Load(); n != 5 {
		t.Errorf("%d calls of the target, want the 5 that opened its breaker", n)
	}
	three := newRig(t, events.Schedule, nil, nil)
	join(three)
	three.invoke(time.Minute, record(t, 10, requested(10)))
	if s := three.parts.shared.Health.Status("sim"); s.State != health.Open {
		t.Errorf("schedule sees the breaker %q", s.State)
	}
}
