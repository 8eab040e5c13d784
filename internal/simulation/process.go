package simulation

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/bulkhead"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/seeded"
	"baton.dev/baton/internal/shared"
)

// process is one life of one process, with the functions of the chain in it. A process that starts again is another one,
// which knows nothing of the first.
type process struct {
	world   *World
	index   int
	name    string
	catalog atomic.Pointer[catalog.Catalog]
	state   *shared.State
	waits   atomic.Pointer[map[events.Lane]int] // what waited when it looked last

	end     context.CancelFunc
	gone    bool      // it crashed: nothing that it does from then on takes place; under the queue's lock
	stalled time.Time // until then it stands still; under the queue's lock
	frozen  bool      // while it stands still, so do its clocks

	tokens map[string]int64 // of the leases that it was granted last

	mu sync.Mutex // for what watches over its board
}

// How a process is set up: small, so that events wait for each other, and quick, so that times pass within a world.
const (
	concurrency = 2               // of schedule and callback
	prefetch    = 4               // of a lane
	leaseTTL    = 3 * time.Second // of an attempt
	placeTTL    = 3 * time.Second
)

// start brings up a process, with the configuration that is in its file.
func (w *World) start(index int) {
	w.lives++
	p := &process{world: w, index: index, name: fmt.Sprintf("p%d.%d", index, w.lives), tokens: map[string]int64{}}
	p.catalog.Store(w.scenario.catalogs[w.files[index]])
	ctx, end := context.WithCancel(w.ctx)
	p.end = end
	w.processes[index] = p
	w.doors[index].open(p)
	if err := p.run(ctx); err != nil {
		panic(err) // the wiring is wrong, which no seed can mend
	}
}

// run runs the functions, wired as in production, until ctx is done.
func (p *process) run(ctx context.Context) error {
	chained, err := p.chain()
	if err != nil {
		return err
	}
	p.world.living.Go(func() { p.state.Run(ctx) })
	for _, h := range []events.Hop{events.Schedule, events.Callback} {
		f, err := chained.Function(h)
		if err != nil {
			return err
		}
		if _, err := p.worker(ctx, h, f, "", concurrency); err != nil {
			return err
		}
	}
	attempt, err := chained.Function(events.Infer)
	if err != nil {
		return err
	}
	targets := map[string]*hop.Worker{}
	for _, t := range p.world.scenario.everyTarget() {
		if targets[t.Name], err = p.worker(ctx, events.Infer, attempt, t.Name, t.Concurrency); err != nil {
			return err
		}
	}
	p.world.living.Go(func() { p.follow(ctx, targets) })
	return nil
}

// chain is the wiring of production, but for how long things take: its times are such that they pass within a world.
func (p *process) chain() (chain.Config, error) {
	watch, log, facts := p.world.watch(p), slog.New(slog.DiscardHandler), results.New(cells{p.world, p})
	state, err := shared.New(shared.Config{
		Stores: p.stores(), Catalog: p.catalog.Load, Results: facts, Depths: p.depths, OnBreaker: watch.moved, Log: log,
	})
	if err != nil {
		return chain.Config{}, err
	}
	if state.Leases, err = lease.New(lease.Config{Store: leases{p}, TTL: leaseTTL}); err != nil {
		return chain.Config{}, err
	}
	state.Places = bulkhead.New(bulkhead.Config{Store: places{p}, TTL: placeTTL, Jitter: p.jitter})
	p.state, watch.board = state, state.Health
	return chain.Config{
		Bus: transport{p}, Results: facts, Catalog: p.catalog.Load, Secrets: secret, Models: models{p}, Transport: receivers{p},
		Shared: state, Guard: func(infer.Health) infer.Health { return watch }, Log: log,
	}, nil
}

// worker runs a worker of the hop over the lanes of every priority.
func (p *process) worker(
	ctx context.Context, h events.Hop, f chain.Function, target string, concurrency int,
) (*hop.Worker, error) {
	c := hop.Config{
		Hop: h, Bus: transport{p}, Concurrency: concurrency, Prefetch: prefetch, Limits: f.Limits,
		Log: slog.New(slog.DiscardHandler),
		Handler: func(ctx context.Context, in events.Event) ([]events.Event, error) {
			p.world.begin(p.name + " " + in.ID)
			return f.Handler(ctx, in)
		},
	}
	for _, priority := range events.Priorities() {
		c.Lanes = append(c.Lanes, hop.Lane{
			Lane: events.Lane{Hop: h, Priority: priority, Target: target}, Weight: p.catalog.Load().Priorities[priority],
		})
	}
	w, err := hop.NewWorker(c)
	if err != nil {
		return nil, err
	}
	p.world.living.Go(func() { w.Run(ctx) })
	return w, nil
}

// depths returns how much waits in which lane. Each process asks about once a second.
func (p *process) depths(ctx context.Context) (map[events.Lane]int, error) {
	depths, err := p.world.bus.Depths(ctx)
	if err == nil {
		p.waits.Store(&depths)
	}
	return depths, err
}

// follow has the workers serve the lanes of tenants that wait apart, until ctx is done.
func (p *process) follow(ctx context.Context, targets map[string]*hop.Worker) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		depths, err := p.world.bus.Depths(ctx)
		if err != nil {
			continue
		}
		lanes := slices.SortedFunc(maps.Keys(depths), func(a, b events.Lane) int { return strings.Compare(a.String(), b.String()) })
		for _, lane := range lanes {
			if w, ok := targets[lane.Target]; ok && lane.Tenant != "" {
				w.Serve(hop.Lane{Lane: lane, Weight: p.catalog.Load().Priorities[lane.Priority], Passing: true})
			}
		}
	}
}

// jitter is the bulkhead's, by the time, which is never the same.
func (p *process) jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(seeded.Unit(p.name, int(time.Since(p.world.began)))*float64(d/2))
}

// secret is what signs every callback.
func secret(catalog.Secret) (string, error) { return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", nil }

// crash takes a process away between two effects; it comes back after a while.
func (w *World) crash(p *process) {
	w.queue.drop(p)
	p.end()
	if w.processes[p.index] == p {
		w.processes[p.index] = nil
		w.restart(p)
	}
}

// stop has a process drain, as a deployment does; its next life begins while it does.
func (w *World) stop(p *process) {
	p.end()
	w.processes[p.index] = nil
	w.restart(p)
}

func (w *World) restart(p *process) {
	pause := w.chance.between("restart "+p.name, 0, 10*time.Millisecond, 5*time.Second)
	w.at(time.Now().Add(pause), "start after "+p.name, func() { w.start(p.index) })
}

// alive returns a process that answers, or nil.
func (w *World) alive(name string, n int) *process {
	for i := range w.processes {
		if p := w.processes[(w.chance.upTo(name, n, len(w.processes)-1)+i)%len(w.processes)]; p != nil {
			return p
		}
	}
	return nil
}
