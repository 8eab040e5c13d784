package simulation

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/callback"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/bulkhead"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/seeded"
)

// process is one life of one process, with the functions of the chain in it. A process that starts again is another one,
// which knows nothing of the first.
type process struct {
	world   *World
	index   int
	name    string
	catalog atomic.Pointer[catalog.Catalog]

	end     context.CancelFunc
	gone    bool      // it crashed: nothing that it does from then on takes place; under the queue's lock
	stalled time.Time // until then it stands still; under the queue's lock

	tokens map[string]int64 // of the leases that it was granted last

	mu sync.Mutex // for what watches over its board
}

// How a process is set up: small, so that events wait for each other, and quick, so that times pass within a world.
const (
	concurrency = 2               // of schedule and callback
	prefetch    = 4               // of a lane
	leaseTTL    = 3 * time.Second // of an attempt
	placeTTL    = 3 * time.Second
	nearBytes   = 1 << 20
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

// run runs the functions until ctx is done.
func (p *process) run(ctx context.Context) error {
	facts := results.New(cells{p.world, p})
	board := p.world.watch(p)
	held, err := lease.New(lease.Config{Store: leases{p}, TTL: leaseTTL})
	if err != nil {
		return err
	}
	cache := answers.New(answers.Config{Store: kept{p}, Bytes: nearBytes})
	log := slog.New(slog.DiscardHandler)
	decide := schedule.New(schedule.Config{Catalog: p.catalog.Load, Now: time.Now, Health: board, Answers: cache})
	attempt := infer.New(infer.Config{
		Catalog: p.catalog.Load, Models: models{p}, Results: facts, Leases: held, Health: board, Answers: cache,
		Places: bulkhead.New(bulkhead.Config{Store: places{p}, TTL: placeTTL, Jitter: p.jitter}), Ledger: accounts{p},
	})
	deliver := callback.New(callback.Config{Catalog: p.catalog.Load, Results: facts, Secrets: secret, Transport: receivers{p}})

	go board.Run(ctx)
	if err := p.worker(ctx, hop.Config{Hop: events.Schedule, Handler: decide, Log: log}, ""); err != nil {
		return err
	}
	limits := hop.Limits{Tries: 1000} // the callback's own schedule ends before
	if err := p.worker(ctx, hop.Config{Hop: events.Callback, Handler: deliver.Handle, Limits: limits, Log: log}, ""); err != nil {
		return err
	}
	for _, t := range p.world.scenario.everyTarget() {
		c := hop.Config{Hop: events.Infer, Handler: attempt, Concurrency: t.Concurrency, Log: log}
		if err := p.worker(ctx, c, t.Name); err != nil {
			return err
		}
	}
	return nil
}

// worker runs a worker over the lanes of every priority.
func (p *process) worker(ctx context.Context, c hop.Config, target string) error {
	c.Bus, c.Prefetch = transport{p}, prefetch
	if c.Concurrency == 0 {
		c.Concurrency = concurrency
	}
	for _, priority := range events.Priorities() {
		c.Lanes = append(c.Lanes, hop.Lane{
			Lane: events.Lane{Hop: c.Hop, Priority: priority, Target: target}, Weight: p.catalog.Load().Priorities[priority],
		})
	}
	handle := c.Handler
	c.Handler = func(ctx context.Context, in events.Event) ([]events.Event, error) {
		p.world.begin(p.name + " " + in.ID)
		return handle(ctx, in)
	}
	w, err := hop.NewWorker(c)
	if err != nil {
		return err
	}
	go w.Run(ctx)
	return nil
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
