// Package intaketest is what every kind of door that requests come in by must do, over its real broker.
package intaketest

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/intake"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

// Message is what a sender sends.
type Message struct {
	ContentType string
	Attributes  map[string]string // of a CloudEvent in binary mode
	Data        string
}

// Harness is a kind of door with its broker, for one test.
type Harness struct {
	// Kind returns the kind as a process makes it, which hands a message out again soon that nobody settles.
	Kind func(t *testing.T, c func() *catalog.Catalog) intake.Kind
	// Send stores a message for the tenant.
	Send func(t *testing.T, tenant string, m Message)
	// Left returns how many of the tenant's messages are not settled.
	Left func(t *testing.T, tenant string) int
	// Open has the tenant take requests from the kind.
	Open func(c *catalog.Catalog, t *catalog.Tenant)
}

// patience bounds the wait for what must happen: it is long, since a machine may be busy.
const patience = 90 * time.Second

// Run runs the suite. setup is called for each test, in parallel.
func Run(t *testing.T, setup func(t *testing.T) Harness) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, r *rig){
		"a message of each mode is a request, and is settled":              eachMode,
		"what will never be taken is a dead letter, and is settled":        refused,
		"what may pass is tried again until it is taken":                   passing,
		"a message whose dead letter cannot be stored stays":               unburied,
		"a message that was stored and not settled is the same request":    repeated,
		"tenants that gain and lose their intake are followed":             followed,
		"what was begun is settled when the process is told to stop":       drained,
		"many messages are each taken once, though every third is put off": many,
		"a panic behind the door is tried again":                           faulty,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newRig(t, setup(t)))
		})
	}
}

// rig is a chain's door over real parts in memory, and the kind under test.
type rig struct {
	Harness
	catalog atomic.Pointer[catalog.Catalog]
	server  *ingest.Server
	bus     *membus.Bus
	fail    atomic.Pointer[func(e events.Event) error] // a fault of the publisher

	mu    sync.Mutex
	taken []intake.Taken
}

// The tenants. Both take requests in from the start.
const (
	search = "search"
	other  = "other"
)

func newRig(t *testing.T, h Harness) *rig {
	t.Helper()
	r := &rig{Harness: h, bus: membus.New(membus.Options{})}
	r.configure(search, other)
	r.server = ingest.New(ingest.Config{Catalog: r.catalog.Load, Publisher: r, Results: results.New(results.NewMemory())})
	return r
}

// configure makes the tenants those that take requests in.
func (r *rig) configure(open ...string) {
	c := &catalog.Catalog{
		Models: map[string]*catalog.Model{"m": {ID: "m"}}, Limits: catalog.Limits{Body: 16 << 10, Deadline: time.Hour},
		Tenants: map[string]*catalog.Tenant{},
	}
	for _, name := range []string{search, other} {
		c.Tenants[name] = &catalog.Tenant{Name: name, Models: []string{catalog.AnyModel}}
	}
	for _, name := range open {
		r.Open(c, c.Tenants[name])
	}
	r.catalog.Store(c)
}

// Publish implements [hop.Publisher].
func (r *rig) Publish(ctx context.Context, out ...events.Event) error {
	if fail := r.fail.Load(); fail != nil {
		if err := (*fail)(out[0]); err != nil {
			return err
		}
	}
	return r.bus.Publish(ctx, out...)
}

// failing makes the publisher fail, until it is called with nil.
func (r *rig) failing(f func(e events.Event) error) {
	if f == nil {
		r.fail.Store(nil)
		return
	}
	r.fail.Store(&f)
}

// start starts a process that takes requests in, and returns what stops it.
func (r *rig) start(t *testing.T, change ...func(*intake.Config)) (stop func()) {
	t.Helper()
	cfg := intake.Config{
		Door: r.server, Publisher: r, Catalog: r.catalog.Load, Kinds: []intake.Kind{r.Kind(t, r.catalog.Load)},
		Log: slog.New(slog.DiscardHandler), Follow: 20 * time.Millisecond,
		Again: hop.Backoff{Base: 50 * time.Millisecond, Max: 200 * time.Millisecond},
		Observe: func(taken intake.Taken) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.taken = append(r.taken, taken)
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { intake.New(cfg).Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// outcomes returns how many messages had the outcome.
func (r *rig) outcomes(o intake.Outcome) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, taken := range r.taken {
		if taken.Outcome == o {
			n++
		}
	}
	return n
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it never was so that %s", what)
		}
	}
}

func (r *rig) eventuallySettled(t *testing.T, tenants ...string) {
	t.Helper()
	eventually(t, "every message is settled", func() bool {
		for _, tenant := range tenants {
			if r.Left(t, tenant) > 0 {
				return false
			}
		}
		return true
	})
}

// requests returns the requests that wait for schedule, by their tenant and data.
func (r *rig) requests(t *testing.T) []events.Event {
	t.Helper()
	done, cancel := context.WithCancel(context.Background())
	cancel() // Receive hands out what is there and does not wait for more
	var all []events.Event
	for _, p := range events.Priorities() {
		err := r.bus.Receive(done, events.Lane{Hop: events.Schedule, Priority: p}, 10_000, func(d hop.Delivery) {
			all = append(all, d.Event)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func (r *rig) deadLetters(t *testing.T) []events.Event {
	t.Helper()
	var all []events.Event
	for l, err := range r.bus.DeadLetters(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l.Event)
	}
	return all
}

// Request returns the body of a request that is told from others by what it says.
func request(says string) string { return `{"model_id":"m","prompt":"` + says + `"}` }

// doorFunc decorates the real door.
type doorFunc func(ctx context.Context, t *catalog.Tenant, a ingest.Arrival) (ingest.Receipt, *problem.Problem)

func (f doorFunc) TakeEvent(ctx context.Context, t *catalog.Tenant, a ingest.Arrival) (ingest.Receipt, *problem.Problem) {
	return f(ctx, t, a)
}

func contains(list []events.Event, says string) int {
	n := 0
	for _, e := range list {
		if strings.Contains(string(e.Data), says) {
			n++
		}
	}
	return n
}
