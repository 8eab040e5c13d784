package chain

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/model"
)

// near returns a configuration with a target at the edge, and one that is not.
func near() *catalog.Catalog {
	return configured(&catalog.Target{Name: "near", Concurrency: 1, Edge: true}, &catalog.Target{Name: "cloud", Concurrency: 1})
}

// came returns what is in the lane of schedule.
func came(t *testing.T, bus memory) (all []events.Event) {
	t.Helper()
	err := bus.Receive(t.Context(), events.Lane{Hop: events.Schedule, Priority: events.Normal}, 1, func(d hop.Delivery) {
		all = append(all, d.Event)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheHubTakesTheLaneOfAnEdgeOnlyWhileThatIsAwayAndNeverCallsItsTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemory()
		calls := 0
		var away atomic.Bool
		stop := runAs(t, Config{
			Bus: bus, Catalog: catalog.Static(near()), Models: ordered(func(model.Call) { calls++ }),
			Away: func(target string) bool { return target == "near" && away.Load() },
		})
		if err := bus.Publish(t.Context(), scheduled("near", 0)); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		lane := events.Lane{Hop: events.Infer, Priority: events.Normal, Target: "near"}
		if depths, err := bus.Depths(t.Context()); err != nil || depths[lane] != 1 {
			t.Errorf("while the edge is there the hub has touched its lane: %v, %v", depths, err)
		}
		away.Store(true)
		<-time.After(time.Minute)
		stop()
		all := came(t, bus)
		if len(all) != 1 || all[0].ErrorCode != events.CodeBreakerOpen || all[0].Begun != 0 || calls != 0 {
			t.Errorf("while the edge is away schedule gets %+v, after %d calls", all, calls)
		}
	})
}

func TestAnEdgeServesItsTargetsAndNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemory()
		var called []string
		stop := runAs(t, Config{
			Bus: bus, Catalog: catalog.Static(near()), Models: ordered(func(c model.Call) { called = append(called, c.Target.Name) }),
			AtEdge: func(target *catalog.Target) bool { return target.Name == "near" },
		})
		for n, target := range []string{"near", "cloud"} {
			if err := bus.Publish(t.Context(), scheduled(target, n)); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Minute)
		stop()
		if len(called) != 1 || called[0] != "near" {
			t.Errorf("the edge called %v", called)
		}
	})
}

func TestScheduleTakesATargetThatIsAwayForOneThatIsOut(t *testing.T) {
	t.Parallel()
	p := present{chain: Config{
		Catalog: catalog.Static(near()), Away: func(string) bool { return true },
	}, resting: awayFor}
	if s := p.Status("near"); s.State != health.Open || s.Until.IsZero() {
		t.Errorf("a target at an edge that is away stands as %+v", s)
	}
	if s := p.Status("cloud"); s.State == health.Open {
		t.Errorf("a target that is not at an edge stands as %+v", s)
	}
}
