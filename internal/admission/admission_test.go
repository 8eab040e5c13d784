package admission_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/admission"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// known is the health of targets, each of which does 10 calls a second.
type known map[string]health.Status

func (k known) Status(target string) health.Status {
	if s, ok := k[target]; ok {
		return s
	}
	return health.Status{Attempts: 100, Latency: time.Second, Rate: 10}
}

func target(name string) *catalog.Target {
	return &catalog.Target{Name: name, Weight: 1, Concurrency: 10}
}

func configured(models ...*catalog.Model) *catalog.Catalog {
	c := &catalog.Catalog{Models: map[string]*catalog.Model{}, Priorities: weights}
	for _, m := range models {
		c.Models[m.ID] = m
	}
	return c
}

// fill stores n events that wait for the target.
func fill(t *testing.T, bus *membus.Bus, target string, n int) {
	t.Helper()
	for i := range n {
		r := events.Request{RequestID: fmt.Sprint(target, i), ModelID: "m"}
		e := events.New("t", r, events.Normal, []byte(`{}`), now, time.Time{}).Next(events.Schedule, events.Scheduled, 1, now)
		e.Target = target
		if err := bus.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheGateKnowsWhatWaitsInTheTransport(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Options{})
	g := admission.New(admission.Config{Depths: bus.Depths, Health: known{}})
	m := &catalog.Model{ID: "m", Targets: []*catalog.Target{target("one")}}
	c := configured(m)
	fill(t, bus, "one", 59)
	if got := g.Wait(c, m, "t", events.Normal); got != 0 {
		t.Errorf("it has not looked, and says %s", got)
	}
	if err := g.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := g.Wait(c, m, "t", events.Normal); got != 5*time.Second {
		t.Errorf("wait %s", got)
	}
	if got := g.Wait(c, m, "t", events.High); got != 0 {
		t.Errorf("of a class with nothing ahead: wait %s", got)
	}
}

func TestTheLaneOfAllIsCrowdedWhenMoreWaitThanMay(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Options{})
	g := admission.New(admission.Config{Depths: bus.Depths, Health: known{}})
	fill(t, bus, "one", 15)
	if g.Crowded("one", events.Normal, 4) {
		t.Error("it has not looked")
	}
	if err := g.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !g.Crowded("one", events.Normal, 4) {
		t.Error("15 are not more than 4, and more than a second's work")
	}
	if g.Crowded("one", events.Normal, 15) || g.Crowded("one", events.High, 0) || g.Crowded("two", events.Normal, 0) {
		t.Error("crowded where no more wait than may")
	}
}

func TestAFloodIsNoticedBeforeTheNextLook(t *testing.T) {
	t.Parallel()
	bus, clock := membus.New(membus.Options{}), time.Now()
	g := admission.New(admission.Config{
		Depths: bus.Depths, Health: known{"new": {}}, Now: func() time.Time { return clock },
	})
	if err := g.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	join := func(target string) (joined int) {
		for !g.Crowded(target, events.Normal, 4) {
			joined++
		}
		return joined
	}
	if n := join("new"); n != 5 {
		t.Errorf("%d joined a target of which nothing is known, want the four that may wait and one more", n)
	}
	if n := join("one"); n != 11 {
		t.Errorf("%d joined one that does 10 a second, want a second's work and one more", n)
	}
	clock = clock.Add(time.Second)
	if n := join("one"); n != 10 {
		t.Errorf("%d joined in the second after, want what was done in it", n)
	}
}

func TestEveryTargetThatMayServeTakesPart(t *testing.T) {
	t.Parallel()
	shadow := target("shadow")
	shadow.Shadow = 0.5
	c := configured(
		&catalog.Model{ID: "alone", Targets: []*catalog.Target{target("a")}},
		&catalog.Model{ID: "shadowed", Targets: []*catalog.Target{target("a2"), shadow}},
		&catalog.Model{ID: "helped", Targets: []*catalog.Target{target("a3")}, Fallback: []string{"spare", "gone"}},
		&catalog.Model{ID: "spare", Targets: []*catalog.Target{target("b")}, Fallback: []string{"helped"}},
		&catalog.Model{ID: "group", Group: []catalog.Member{{Model: "alone", Weight: 1}, {Model: "shadowed", Weight: 1}}},
		&catalog.Model{ID: "helped group", Group: []catalog.Member{{Model: "alone", Weight: 1}}, Fallback: []string{"spare"}},
		&catalog.Model{ID: "group of the helped", Group: []catalog.Member{{Model: "helped", Weight: 1}}},
		&catalog.Model{ID: "empty group", Group: []catalog.Member{{Model: "gone", Weight: 1}}},
		&catalog.Model{ID: "empty"},
	)
	depths := map[events.Lane]int{{Hop: events.Schedule, Priority: events.Normal}: 1e6}
	for _, name := range []string{"a", "a2", "a3"} {
		depths[events.Lane{Hop: events.Infer, Priority: events.Normal, Target: name}] = 1019
	}
	g := admission.New(admission.Config{
		Depths: func(context.Context) (map[events.Lane]int, error) { return depths, nil }, Health: known{},
	})
	if err := g.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]int{
		"alone": 101, "shadowed": 101, "helped": 50, "spare": 0, "group": 101, "helped group": 50, "group of the helped": 50,
		"empty group": 0, "empty": 0,
	} {
		if got := g.Wait(c, c.Models[id], "t", events.Normal); int(got.Round(time.Second).Seconds()) != want {
			t.Errorf("%s: wait %s, want %d s", id, got, want)
		}
	}
}

func TestTheGateLooksAgainAndForgetsWhatIsOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Options{})
		var away atomic.Bool
		var log bytes.Buffer
		g := admission.New(admission.Config{
			Depths: func(ctx context.Context) (map[events.Lane]int, error) {
				if away.Load() {
					return nil, errors.New("away")
				}
				return bus.Depths(ctx)
			},
			Health: known{}, Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		m := &catalog.Model{ID: "m", Targets: []*catalog.Target{target("one")}}
		c := configured(m)
		expect := func(after, want time.Duration) {
			t.Helper()
			<-time.After(after)
			synctest.Wait()
			if got := g.Wait(c, m, "t", events.Normal); got != want {
				t.Errorf("wait %s, want %s", got, want)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			g.Run(ctx)
		}()
		expect(0, 0)
		fill(t, bus, "one", 59)
		expect(1500*time.Millisecond, 5*time.Second)
		away.Store(true)
		expect(3*time.Second, 5*time.Second)
		expect(3*time.Second, 0)
		away.Store(false)
		expect(time.Second, 5*time.Second)
		stop()
		<-done
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("logged %d lines:\n%s", n, log.String())
		}
	})
}

func Example() {
	slow := &catalog.Target{Name: "slow", Weight: 1, Concurrency: 2}
	m := &catalog.Model{ID: "m", Targets: []*catalog.Target{slow}}
	gate := admission.New(admission.Config{
		Depths: func(context.Context) (map[events.Lane]int, error) {
			return map[events.Lane]int{{Hop: events.Infer, Priority: events.Normal, Target: "slow"}: 121}, nil
		},
		Health: known{"slow": {Attempts: 50, Latency: time.Second, Rate: 2}},
	})
	_ = gate.Look(context.Background())
	fmt.Println(gate.Wait(&catalog.Catalog{}, m, "search", events.Normal))
	// Output: 1m0s
}
