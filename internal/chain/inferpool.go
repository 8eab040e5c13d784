package chain

import (
	"context"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/hop"
)

// inferPool runs a worker for each target, so that a slow one fills no lane but its own. It follows the configuration: a
// target that is new gets a worker, and one that is gone keeps its, which hands what is left in its lane back to schedule.
type inferPool struct {
	chain   Config
	handler hop.Handler
	serving map[string]bool
	workers sync.WaitGroup
}

// follow is how often the configuration is looked at.
const follow = time.Second

func newInferPool(c Config) *inferPool {
	return &inferPool{
		chain:   c,
		handler: infer.New(infer.Config{Catalog: c.Catalog, Models: c.Models, Results: c.Results, Log: c.Log}),
		serving: map[string]bool{},
	}
}

func (p *inferPool) run(ctx context.Context) {
	p.serve(ctx, p.left(ctx))
	tick := time.NewTicker(follow)
	defer tick.Stop()
	for ctx.Err() == nil {
		p.serve(ctx, nil)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	p.workers.Wait()
}

// left returns the targets for which the transport has work, if it can tell: of an earlier configuration perhaps.
func (p *inferPool) left(ctx context.Context) []string {
	bus, ok := p.chain.Bus.(interface {
		Targets(ctx context.Context) ([]string, error)
	})
	if !ok {
		return nil
	}
	targets, err := bus.Targets(ctx)
	if err != nil {
		p.chain.Log.Warn("lanes of earlier targets are not known", "error", err)
	}
	return targets
}

// serve starts a worker for each target that has none.
func (p *inferPool) serve(ctx context.Context, more []string) {
	cat := p.chain.Catalog()
	for _, m := range cat.Models {
		for _, t := range m.Targets {
			p.start(ctx, t.Name, t.Concurrency)
		}
	}
	for _, name := range more {
		p.start(ctx, name, 1)
	}
}

func (p *inferPool) start(ctx context.Context, target string, concurrency int) {
	if p.serving[target] || !events.ValidTarget(target) {
		return
	}
	cfg := p.chain.worker(events.Infer, p.handler, target, concurrency, hop.Limits{})
	// Calls are long beside the way to the broker, so few need to wait here, and another process may be free.
	cfg.Prefetch = max(concurrency/4, 1)
	w, err := hop.NewWorker(cfg)
	if err != nil {
		p.chain.Log.Error("target has no worker", "target", target, "error", err)
		return
	}
	p.serving[target] = true
	p.workers.Go(func() { w.Run(ctx) })
}
