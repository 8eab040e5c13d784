package oip

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/model"
)

const (
	probeEvery   = 5 * time.Second
	probeTimeout = 2 * time.Second
	probesAtOnce = 8
	// wellEvery is the rounds between two questions to a target whose breaker is closed.
	wellEvery = 3
	// slowInARow is how often in a row a model must not have answered in time before it counts: a busy one is slow, and well.
	slowInARow = 3
)

// Readier asks whether a target's model can be called: [GRPC] and [HTTP] do.
type Readier interface {
	Ready(ctx context.Context, t *catalog.Target) error
}

// Board is what is known of targets. See [health.Board].
type Board interface {
	Status(target string) health.Status
	Report(o health.Outcome)
}

// ProberConfig is what a [Prober] needs.
type ProberConfig struct {
	Targets func() []*catalog.Target // all there are, as the configuration is now; those without a client are not asked
	Clients map[string]Readier       // by the api of targets
	Board   Board
	Every   time.Duration // between two rounds; 0: 5s
	Log     *slog.Logger  // nil: nothing is logged
}

// Prober asks targets whether their models are ready, before a paid request finds out that they are not: every round those
// whose breaker is not closed, the others every third.
//
// What it learns it reports as the outcome of an attempt that was [events.CodeUnavailable] until the round after the next. So
// the breaker of a model that is not ready opens at once, stays open while it is asked again, and becomes half-open soon
// after the model is ready: the next requests, a few at first, then say that it is well. That a model is ready is not
// reported: it does not say that calls go well.
type Prober struct {
	c      ProberConfig
	jitter func() float64 // in [0, 1)
	now    func() time.Time

	round int
	mu    sync.Mutex
	slow  map[string]int  // questions in a row without an answer in time, by target
	down  map[string]bool // of which it was logged that they are not ready
}

// NewProber returns a prober. [Prober.Run] runs it.
func NewProber(c ProberConfig) *Prober {
	if c.Every <= 0 {
		c.Every = probeEvery
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Prober{c: c, jitter: rand.Float64, now: time.Now, slow: map[string]int{}, down: map[string]bool{}}
}

// Run asks until ctx is done. It is called once.
func (p *Prober) Run(ctx context.Context) {
	for {
		p.ask(ctx)
		// A fifth shorter at most, so that processes that were started together do not ask together.
		timer := time.NewTimer(p.c.Every - time.Duration(p.jitter()*float64(p.c.Every)/5))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// ask asks the targets whose turn it is, some at a time, and returns when all have answered or did not in time.
func (p *Prober) ask(ctx context.Context) {
	p.round++
	places := make(chan struct{}, probesAtOnce)
	var asking sync.WaitGroup
	known := map[string]bool{}
	for _, t := range p.c.Targets() {
		client, ok := p.c.Clients[t.API]
		if !ok {
			continue
		}
		known[t.Name] = true
		state := p.c.Board.Status(t.Name).State
		if (state == "" || state == health.Closed) && p.round%wellEvery != 1 {
			continue
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		asking.Go(func() {
			defer func() { <-places }()
			p.one(ctx, client, t)
		})
	}
	asking.Wait()
	p.forget(known)
}

// one asks one target.
func (p *Prober) one(ctx context.Context, client Readier, t *catalog.Target) {
	asking, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	err := client.Ready(asking, t)
	if ctx.Err() != nil {
		return
	}
	failure, _ := errors.AsType[*model.Error](err)
	late := err != nil && (failure == nil || failure.Code == events.CodeTimeout)
	p.mu.Lock()
	if late {
		p.slow[t.Name]++
	} else {
		delete(p.slow, t.Name)
	}
	counts := err != nil && (!late || p.slow[t.Name] >= slowInARow)
	changed := p.down[t.Name] != counts && (counts || err == nil)
	if changed {
		p.down[t.Name] = counts
	}
	p.mu.Unlock()
	if changed {
		p.log(ctx, t, err)
	}
	if counts {
		now := p.now()
		p.c.Board.Report(health.Outcome{Target: t.Name, Code: events.CodeUnavailable, At: now, RetryAt: now.Add(2 * p.c.Every)})
	}
}

// forget drops what is known of targets that are gone.
func (p *Prober) forget(known map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.slow {
		if !known[name] {
			delete(p.slow, name)
		}
	}
	for name := range p.down {
		if !known[name] {
			delete(p.down, name)
		}
	}
}

func (p *Prober) log(ctx context.Context, t *catalog.Target, err error) {
	if err == nil {
		p.c.Log.LogAttrs(ctx, slog.LevelInfo, "model is ready", slog.String("target", t.Name))
		return
	}
	p.c.Log.LogAttrs(ctx, slog.LevelWarn, "model is not ready", slog.String("target", t.Name), slog.Any("err", err))
}
