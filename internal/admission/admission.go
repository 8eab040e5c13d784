// Package admission says how long a new request would wait for its model, so that one which could not begin before its
// deadline is refused at the door rather than accepted and doomed.
//
// It is sure or silent. What is not known (how much waits for a target, or how fast that works) counts as no wait, and of
// every two readings of what is known the one with the shorter wait is taken: see [Wait]. A request that is let in may miss
// its deadline still. One that is refused would have.
package admission

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
)

// Health is what is known of targets.
type Health interface {
	// Status returns the target's from memory.
	Status(target string) health.Status
}

// Config is what a [Gate] is made of.
type Config struct {
	// Depths returns how much waits in each lane, what is being worked on included. Required. It is asked in the
	// background alone.
	Depths func(context.Context) (map[events.Lane]int, error)
	Health Health           // required
	Every  time.Duration    // how often Depths is asked; 0: a second
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: nothing is logged
}

// Gate knows what waits. It is safe for concurrent use; [Gate.Run] must run for it to know anything.
type Gate struct {
	cfg    Config
	sample atomic.Pointer[sample]
}

// sample is what waited at a time, by target, and how many have joined the lanes of all since, as far as this process knows.
type sample struct {
	at     time.Time
	queues map[string]Queue

	mu     sync.Mutex
	joined map[lane]int
}

type lane struct {
	target   string
	priority events.Priority
}

// stale is after how many samples that did not come the last one tells nothing any more.
const stale = 5

// New returns a gate that knows nothing yet.
func New(cfg Config) *Gate {
	if cfg.Every == 0 {
		cfg.Every = time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Gate{cfg: cfg}
}

// Run looks at the lanes at once and then again and again, until ctx is done.
func (g *Gate) Run(ctx context.Context) {
	tick := time.NewTicker(g.cfg.Every)
	defer tick.Stop()
	away := false
	for ctx.Err() == nil {
		err := g.Look(ctx)
		if err != nil && !away && ctx.Err() == nil {
			g.cfg.Log.Warn("it is not known what waits: no request is refused for its deadline", "error", err)
		}
		away = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// Look asks once what waits in the lanes: what Run does each time, for those who have no background.
func (g *Gate) Look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stale*g.cfg.Every)
	defer cancel()
	at := g.cfg.Now() // what comes while it is counted makes it no older
	depths, err := g.cfg.Depths(ctx)
	if err != nil {
		return err
	}
	g.sample.Store(&sample{at: at, queues: queues(depths), joined: map[lane]int{}})
	return nil
}

// Crowded reports whether so much waits in the target's lane of all tenants that another request is to wait apart: more than
// the number, and more than the target does in a second. Where it says no, the request is taken to join that lane: what came
// since the lanes were looked at counts too, less what the target has done since at its usual rate, so that a flood is
// noticed before the next look. False where nothing is known.
func (g *Gate) Crowded(target string, p events.Priority, most int) bool {
	s, now := g.sample.Load(), g.cfg.Now()
	if s == nil || now.Sub(s.at) > stale*g.cfg.Every {
		return false
	}
	rate := g.cfg.Health.Status(target).Rate
	s.mu.Lock()
	defer s.mu.Unlock()
	l := lane{target, p}
	waiting := float64(s.queues[target][p][""]+s.joined[l]) - rate*now.Sub(s.at).Seconds()
	if waiting > max(float64(most), rate) {
		return true
	}
	s.joined[l]++
	return false
}

// Wait returns how long a new request of the tenant would wait, in its class, for the first target that could take it; 0
// where that is not known. It costs a few map lookups and blocks on nothing.
func (g *Gate) Wait(c *catalog.Catalog, m *catalog.Model, tenant string, p events.Priority) time.Duration {
	s, now := g.sample.Load(), g.cfg.Now()
	if s == nil || now.Sub(s.at) > stale*g.cfg.Every {
		return 0
	}
	var levels [][]Place
	for _, targets := range capacity(c, m) {
		level := make([]Place, len(targets))
		for i, t := range targets {
			level[i] = Place{
				Before: s.queues[t.Name].Before(p, tenant, c.Priorities), Concurrency: t.Concurrency,
				Spare: t.Weight == 0 || t.Canary > 0, Health: g.cfg.Health.Status(t.Name),
			}
		}
		levels = append(levels, level)
	}
	return Wait(levels, now)
}
