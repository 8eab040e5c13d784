package chain

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/results"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a transport in memory that may not tell what waits in it.
type memory struct {
	*membus.Bus
	silent *atomic.Bool
}

func (m memory) Depths(ctx context.Context) (map[events.Lane]int, error) {
	if m.silent.Load() {
		return nil, errors.New("away")
	}
	return m.Bus.Depths(ctx)
}

func newMemory() memory { return memory{membus.New(membus.Options{}), &atomic.Bool{}} }

// counting counts the calls at once, and answers after a second.
type counting struct {
	now, most atomic.Int32
	mu        sync.Mutex
}

func (c *counting) Call(ctx context.Context, _ model.Call) (model.Answer, error) {
	c.mu.Lock()
	if n := c.now.Add(1); n > c.most.Load() {
		c.most.Store(n)
	}
	c.mu.Unlock()
	defer c.now.Add(-1)
	select {
	case <-time.After(time.Second):
		return model.Answer{Message: []byte(`{"role":"assistant","content":"x"}`), Output: "x"}, nil
	case <-ctx.Done():
		return model.Answer{}, ctx.Err()
	}
}

func configured(targets ...*catalog.Target) *catalog.Catalog {
	for _, t := range targets {
		t.API, t.Weight = catalog.OpenAI, 1
	}
	return &catalog.Catalog{Models: map[string]*catalog.Model{"m": {ID: "m", Attempts: 2, Targets: targets}}}
}

// run runs a pool over the transport until stop, in virtual time.
func run(t *testing.T, bus memory, models infer.Models, cat func() *catalog.Catalog) (stop func()) {
	t.Helper()
	return runAs(t, Config{Bus: bus, Models: models, Catalog: cat})
}

// runAs is run with more of the configuration given.
func runAs(t *testing.T, c Config) (stop func()) {
	t.Helper()
	c.Results, c.Log = results.New(results.NewMemory()), slog.New(slog.DiscardHandler)
	f, err := c.Function(events.Infer)
	if err != nil {
		t.Fatal(err)
	}
	p := newInferPool(c, f.Handler)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func scheduled(target string, n int) events.Event {
	r := events.Request{RequestID: string(rune('a' + n)), ModelID: "m"}
	e := events.New("t", r, events.Normal, []byte(`{"request_id":"r","model_id":"m","prompt":"p"}`), time.Now(), time.Time{})
	e = e.Next(events.Schedule, events.Scheduled, 1, time.Now())
	e.Target = target
	return e
}

func TestWorkForATargetThatIsGoneGoesBackToSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemory()
		bus.silent.Store(true)
		stop := run(t, bus, &counting{}, catalog.Static(configured(&catalog.Target{Name: "one", Concurrency: 1})))
		<-time.After(time.Minute) // it runs when a schedule with an older configuration chooses the target
		if err := bus.Publish(t.Context(), scheduled("former", 0)); err != nil {
			t.Fatal(err)
		}
		bus.silent.Store(false)
		<-time.After(time.Minute)
		stop()
		found := false
		if err := bus.Receive(t.Context(), events.Lane{Hop: events.Schedule, Priority: events.Normal}, 1, func(d hop.Delivery) {
			found = d.Event.Type == events.AttemptFailed && d.Event.ErrorCode == events.CodeTargetGone
		}); err != nil || !found {
			t.Errorf("schedule has no failed attempt: %v", err)
		}
	})
}

func TestConcurrencyFollowsTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cat atomic.Pointer[catalog.Catalog]
		cat.Store(configured(&catalog.Target{Name: "one", Concurrency: 4}))
		bus := newMemory()
		models := &counting{}
		stop := run(t, bus, models, cat.Load)
		send := func(from int) {
			for n := range 8 {
				if err := bus.Publish(t.Context(), scheduled("one", from+n)); err != nil {
					t.Fatal(err)
				}
			}
			<-time.After(time.Minute)
		}
		send(0)
		if n := models.most.Swap(0); n != 4 {
			t.Errorf("%d calls at once, want 4", n)
		}
		cat.Store(configured(&catalog.Target{Name: "one", Concurrency: 2}))
		<-time.After(time.Minute)
		send(8)
		if n := models.most.Load(); n != 2 {
			t.Errorf("%d calls at once after the change, want 2", n)
		}
		stop()
	})
}

func TestTenantsThatWaitApartAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newMemory()
		var order []string
		models := ordered(func(call model.Call) { order = append(order, call.ID) })
		send := func(n int, tenant string) {
			for i := range n {
				e := scheduled("one", i)
				e.Subject, e.Tenant, e.Apart = tenant+string(rune('a'+i)), tenant, tenant != "all"
				e.ID = tenant + "-" + string(rune('a'+i))
				if err := bus.Publish(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
		}
		send(20, "all")
		send(20, "flood")
		send(4, "few")
		stop := run(t, bus, models, catalog.Static(configured(&catalog.Target{Name: "one", Concurrency: 1})))
		<-time.After(5 * time.Minute)
		stop()
		if len(order) != 44 {
			t.Fatalf("%d calls, want 44", len(order))
		}
		last := 0
		for i, id := range order {
			if strings.HasPrefix(id, "few-") {
				last = i
			}
		}
		if last > 15 { // four turns of three lanes, and what was begun before the lanes were seen
			t.Errorf("the few were served by the %dth call: %v", last+1, order)
		}
	})
}

// ordered tells of each call, and answers after a second.
type ordered func(model.Call)

func (o ordered) Call(_ context.Context, call model.Call) (model.Answer, error) {
	o(call)
	<-time.After(time.Second)
	return model.Answer{Message: []byte(`{"role":"assistant","content":"x"}`), Output: "x"}, nil
}
