package chain

import (
	"context"
	"maps"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// inferPool runs a worker for each target, so that a slow one fills no lane but its own. It follows the configuration: a
// target that is new gets a worker, and one that is gone keeps its, which hands what is left in its lane back to schedule.
type inferPool struct {
	chain   Config
	handler hop.Handler
	serving map[string]*served
	workers sync.WaitGroup
}

// served is a target's worker, and what it was made for.
type served struct {
	concurrency int
	weights     map[events.Priority]int
	stop        context.CancelFunc
}

// follow is how often the configuration is looked at, and followLeft how often the transport is asked for lanes of targets
// that are not in it: events may come for one from a schedule that has an older configuration, or fall due.
const (
	follow     = time.Second
	followLeft = 5 * time.Second
)

func newInferPool(c Config, handler hop.Handler) *inferPool {
	return &inferPool{
		chain:   c,
		handler: handler,
		serving: map[string]*served{},
	}
}

func (p *inferPool) run(ctx context.Context) {
	tick, tickLeft := time.NewTicker(follow), time.NewTicker(followLeft)
	defer tick.Stop()
	defer tickLeft.Stop()
	left := p.left(ctx)
	for ctx.Err() == nil {
		p.serve(ctx, left)
		select {
		case <-tick.C:
		case <-tickLeft.C:
			left = p.left(ctx)
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

// serve starts a worker for each target that has none, and one in place of another that was made for other settings.
func (p *inferPool) serve(ctx context.Context, left []string) {
	cat := p.chain.Catalog()
	for _, m := range cat.Models {
		for _, t := range m.Targets {
			p.start(ctx, t.Name, t.Concurrency, cat.Priorities)
		}
	}
	for _, name := range left {
		if _, _, ok := cat.Target(name); !ok {
			p.start(ctx, name, 1, cat.Priorities)
		}
	}
}

func (p *inferPool) start(ctx context.Context, target string, concurrency int, weights map[events.Priority]int) {
	old, ok := p.serving[target]
	if ok && old.concurrency == concurrency && maps.Equal(old.weights, weights) || !events.ValidTarget(target) {
		return
	}
	if ok {
		old.stop() // it drains beside its successor
	}
	cfg := p.chain.worker(events.Infer, p.handler, target, concurrency, hop.Limits{})
	// Calls are long beside the way to the broker, so few need to wait here, and another process may be free.
	cfg.Prefetch = max(concurrency/4, 1)
	w, err := hop.NewWorker(cfg)
	if err != nil {
		p.chain.Log.Error("target has no worker", "target", target, "error", err)
		return
	}
	ctx, stop := context.WithCancel(ctx)
	p.serving[target] = &served{concurrency, weights, stop}
	p.workers.Go(func() { w.Run(ctx) })
}
