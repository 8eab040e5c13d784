// Package chain wires the four functions to a transport: which lanes each serves, with how many workers. It knows no
// broker; whoever runs the chain, in one process or in several, hands it one.
package chain

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/callback"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/egress"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/shared"
	"baton.dev/baton/internal/tokens"
)

// Config is what the functions of the chain share. All fields but those marked are required.
type Config struct {
	Bus     hop.Bus
	Results *results.Store
	Catalog func() *catalog.Catalog
	Secrets func(catalog.Secret) (string, error)
	Models  infer.Models // for infer
	Log     *slog.Logger
	// Transport makes the deliveries of callbacks, and it is then for it to refuse what may not be reached; nil is one over
	// the network that reaches only what Catalog allows.
	Transport http.RoundTripper
	// Shared is what the processes know together. Nil: nothing is known of targets, limited, cached or counted.
	Shared *shared.State
	// Tokens carries the pieces of answers that are wanted while they are made; nil: nobody gets them.
	Tokens tokens.Relay
	// Objects keeps what is too large for an event; nil: what is too large is refused.
	Objects objects.Store
	// Guard, if set, puts something between infer and the health of the targets, to watch over what passes.
	Guard func(infer.Health) infer.Health
	// Attempted, if set, is called after each attempt at a target.
	Attempted func(infer.Attempt)

	// Observe, if set, is called after each delivery is settled.
	Observe func(hop.Settled)
	// Ready, if set, returns an error while ingest cannot store requests.
	Ready func(context.Context) error
	// Metrics, if set, answers /metrics.
	Metrics http.Handler
	// Drain, if set, is done when ingest is to stop: whoever waits for a result is answered with where the request stands.
	Drain context.Context //nolint:containedctx // it is of the process, not of a call
}

// concurrency of the hops that wait for the broker and for receivers: enough to hide the wait at the rate that the CPU
// allows. It costs a goroutine each.
const concurrency = 256

// prefetch is how many events of a lane wait in a process: many times what comes during a question to the broker, and few
// enough that a process which hangs does not hold up much.
const prefetch = 64

// callbackTries is beyond the callback's own schedule, which ends in its own dead letter.
const callbackTries = 1000

// Ingest returns the HTTP interface.
func (c Config) Ingest() http.Handler {
	cfg := ingest.Config{
		Catalog: c.Catalog, Publisher: c.Bus, Results: c.Results, Ready: c.Ready, Metrics: c.Metrics, Drain: c.Drain,
		Log: c.Log, Version: Version(), Tokens: c.Tokens, Objects: c.Objects,
		CheckCallback: func(u *url.URL) error { return policy(c.Catalog()).CheckURL(u) },
	}
	if s := c.Shared; s != nil {
		cfg.Limit, cfg.Tally, cfg.Admission = s.Limits, s.Tally, s.Queues
		cfg.CacheKey = c.cacheKey
		if s.Ledger != nil {
			cfg.Budget = s
		}
	}
	return ingest.New(cfg)
}

// cacheKey names what determines the answer to a request, under the configuration as it is now.
func (c Config) cacheKey(tenant string, m *catalog.Model, r events.Request) string {
	return answers.Key(tenant, m, answers.Stable, r, c.members(m)...)
}

// members returns the models that a group stands for.
func (c Config) members(m *catalog.Model) []*catalog.Model {
	cat := c.Catalog()
	members := make([]*catalog.Model, 0, len(m.Group))
	for _, member := range m.Group {
		members = append(members, cat.Models[member.Model])
	}
	return members
}

// policy is what the configuration says of the addresses that callbacks may reach.
func policy(cat *catalog.Catalog) egress.Policy {
	return egress.Policy{AllowNetworks: cat.Callbacks.AllowNetworks, AllowHTTP: cat.Callbacks.AllowHTTP}
}

// Run runs the functions named, all of schedule, infer and callback if none is, until ctx is done and they are drained.
func (c Config) Run(ctx context.Context, hops ...events.Hop) error {
	if len(hops) == 0 {
		hops = []events.Hop{events.Schedule, events.Infer, events.Callback}
	}
	var run []func(context.Context)
	for _, h := range hops {
		f, err := c.runner(h)
		if err != nil {
			return err
		}
		run = append(run, f)
	}
	// What is known is shared for as long as anything is done, a drain included.
	known, stop := context.WithCancel(context.WithoutCancel(ctx))
	var functions, sharing sync.WaitGroup
	if c.Shared != nil {
		sharing.Go(func() { c.Shared.Run(known) })
	}
	for _, f := range run {
		functions.Go(func() { f(ctx) })
	}
	functions.Wait()
	stop()
	sharing.Wait()
	return nil
}

// Function is one function of the chain, for whoever runs it.
type Function struct {
	Handler hop.Handler
	Limits  hop.Limits
	Close   func() // releases what the handler holds, after its last call
}

// Function returns the hop's function: schedule, infer or callback.
func (c Config) Function(h events.Hop) (Function, error) {
	nothing := func() {}
	switch h {
	case events.Schedule:
		return Function{Handler: schedule.New(c.schedule()), Close: nothing}, nil
	case events.Infer:
		return Function{Handler: infer.New(c.infer()), Close: nothing}, nil
	case events.Callback:
		cb := callback.New(c.callback())
		return Function{Handler: cb.Handle, Limits: hop.Limits{Tries: callbackTries}, Close: cb.Close}, nil
	default:
		return Function{}, fmt.Errorf("chain: there is no function %q that takes events", h)
	}
}

func (c Config) schedule() schedule.Config {
	cfg := schedule.Config{Catalog: c.Catalog, Now: time.Now, Log: c.Log}
	if s := c.Shared; s != nil {
		cfg.Health, cfg.Answers = s.Health, s.Answers
		if s.Queues != nil {
			cfg.Crowded = func(t *catalog.Target, p events.Priority) bool {
				return s.Queues.Crowded(t.Name, p, crowd*t.Concurrency)
			}
		}
	}
	return cfg
}

// crowd is how many events wait in a target's lane, in multiples of its calls at once, before tenants wait apart: enough that
// the calls never want for work while the lanes change, and few enough that whoever comes then does not wait long for them.
const crowd = 2

func (c Config) infer() infer.Config {
	cfg := infer.Config{Catalog: c.Catalog, Models: c.Models, Results: c.Results, Log: c.Log, Observe: c.Attempted}
	if c.Tokens != nil {
		cfg.Tokens = c.Tokens
	}
	if s := c.Shared; s != nil {
		cfg.Health, cfg.Places, cfg.Answers, cfg.CacheKey = s.Health, s.Places, s.Answers, c.cacheKey
		if c.Guard != nil {
			cfg.Health = c.Guard(s.Health)
		}
		if s.Leases != nil {
			cfg.Leases = s.Leases
		}
		if s.Ledger != nil {
			cfg.Ledger = s.Ledger
		}
	}
	return cfg
}

func (c Config) callback() callback.Config {
	cfg := callback.Config{Catalog: c.Catalog, Results: c.Results, Secrets: c.Secrets, Version: Version(), Transport: c.Transport}
	if s := c.Shared; s != nil {
		cfg.Ended = func(ctx context.Context, e events.Event) { s.Tally.Ended(ctx, c.Catalog(), e) }
	}
	return cfg
}

// runner returns what runs the hop until its context is done.
func (c Config) runner(h events.Hop) (func(context.Context), error) {
	f, err := c.Function(h)
	if err != nil {
		return nil, err
	}
	if h == events.Infer {
		return newInferPool(c, f.Handler).run, nil
	}
	w, err := hop.NewWorker(c.worker(h, f.Handler, "", concurrency, f.Limits))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) {
		defer f.Close()
		var weighing sync.WaitGroup
		weighing.Go(func() { c.weigh(ctx, w) })
		w.Run(ctx)
		weighing.Wait()
	}, nil
}

// weigh keeps the worker's weights those of the configuration until ctx is done.
func (c Config) weigh(ctx context.Context, w *hop.Worker) {
	tick := time.NewTicker(follow)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.Weigh(c.Catalog().Priorities)
		case <-ctx.Done():
			return
		}
	}
}

// worker returns the configuration of a worker of the hop, over the lanes of every priority.
func (c Config) worker(h events.Hop, handler hop.Handler, target string, concurrency int, limits hop.Limits) hop.Config {
	cfg := hop.Config{
		Hop: h, Handler: handler, Bus: c.Bus, Concurrency: concurrency, Prefetch: min(concurrency, prefetch),
		Limits: limits, Log: c.Log, Observe: c.Observe,
	}
	weights := c.Catalog().Priorities
	for _, p := range events.Priorities() {
		cfg.Lanes = append(cfg.Lanes, hop.Lane{Lane: events.Lane{Hop: h, Priority: p, Target: target}, Weight: weights[p]})
	}
	return cfg
}

// Version returns the version of this build, or "dev".
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
