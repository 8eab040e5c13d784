package chain

import (
	"context"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// inferPool runs a worker for each target, so that a slow one fills no lane but its own. It follows the configuration: a
// target that is new gets a worker, and one that is gone keeps its, which hands what is left in its lane back to schedule.
// It follows the transport, too: where tenants wait apart, their lanes are served beside the target's own.
type inferPool struct {
	chain   Config
	handler hop.Handler
	serving map[string]*served
	workers sync.WaitGroup
	blind   bool // the transport could not tell what waits, the last time
}

// served is a target's worker, and how many calls it makes at once.
type served struct {
	worker      *hop.Worker
	concurrency int
	stop        context.CancelFunc // ends it: what it has begun is finished
}

// follow is how often the configuration and the transport are looked at: events may come for a target that is gone from a
// schedule that has an older configuration, or fall due, and a tenant that waits apart waits this long for its first.
const follow = 500 * time.Millisecond

func newInferPool(c Config, handler hop.Handler) *inferPool {
	return &inferPool{
		chain:   c,
		handler: handler,
		serving: map[string]*served{},
	}
}

func (p *inferPool) run(ctx context.Context) {
	tick := time.NewTicker(follow)
	defer tick.Stop()
	for ctx.Err() == nil {
		p.serve(ctx, p.depths(ctx))
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	p.workers.Wait()
}

// depths returns how much waits in which lane, if the transport can tell.
func (p *inferPool) depths(ctx context.Context) map[events.Lane]int {
	bus, ok := p.chain.Bus.(interface {
		Depths(ctx context.Context) (map[events.Lane]int, error)
	})
	if !ok {
		return nil
	}
	depths, err := bus.Depths(ctx)
	was := p.blind
	p.blind = err != nil
	if p.blind && !was && ctx.Err() == nil {
		p.chain.Log.Warn("lanes of earlier targets, and of tenants that wait apart, are not known", "error", err)
	}
	return depths
}

// serve starts a worker for each target that has none, and brings the others to the configuration. The worker of a target
// serves the lanes of the tenants that wait apart.
func (p *inferPool) serve(ctx context.Context, depths map[events.Lane]int) {
	cat := p.chain.Catalog()
	for _, m := range cat.Models {
		for _, t := range m.Targets {
			if p.chain.serves(t) {
				p.start(ctx, t.Name, t.Concurrency, cat.Priorities)
			} else if s, ok := p.serving[t.Name]; ok {
				s.stop() // it is served where it is
				delete(p.serving, t.Name)
			}
		}
	}
	for lane := range depths {
		if lane.Hop != events.Infer {
			continue
		}
		if _, _, ok := cat.Target(lane.Target); !ok && p.chain.AtEdge == nil {
			p.start(ctx, lane.Target, 1, cat.Priorities)
		}
		if s, ok := p.serving[lane.Target]; ok && lane.Tenant != "" {
			s.worker.Serve(hop.Lane{Lane: lane, Weight: cat.Priorities[lane.Priority], Passing: true})
		}
	}
}

// start starts the target's worker, or brings it to the configuration: what it has begun goes on.
func (p *inferPool) start(ctx context.Context, target string, concurrency int, weights map[events.Priority]int) {
	// Calls are long beside the way to the broker, so few need to wait here, and another process may be free; but a lane that
	// is empty while its next are on their way loses its turn.
	prefetch := max(concurrency/4, 4)
	if s, ok := p.serving[target]; ok {
		s.worker.Weigh(weights)
		if s.concurrency != concurrency {
			s.concurrency = concurrency
			s.worker.Resize(concurrency, prefetch)
		}
		return
	}
	if !events.ValidTarget(target) {
		return
	}
	cfg := p.chain.worker(events.Infer, p.handler, target, concurrency, hop.Limits{})
	cfg.Prefetch = prefetch
	w, err := hop.NewWorker(cfg)
	if err != nil {
		p.chain.Log.Error("target has no worker", "target", target, "error", err)
		return
	}
	ctx, stop := context.WithCancel(ctx)
	p.serving[target] = &served{w, concurrency, stop}
	p.workers.Go(func() {
		defer stop()
		w.Run(ctx)
	})
}
