// Package chain wires the four functions to a transport: which lanes each serves, with how many workers. It knows no
// broker; whoever runs the chain, in one process or in several, hands it one.
package chain

import (
	"context"
	"errors"
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
	"baton.dev/baton/functions/ingest/batches"
	"baton.dev/baton/functions/ingest/files"
	"baton.dev/baton/functions/ingest/openai"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/egress"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/intake"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/outbound"
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
	// MaxResult is how many bytes of a result the transport and the results take; 0: 900 KiB.
	MaxResult int
	// AtEdge, if set, says that this is infer in another place, and which of the targets at the edge it serves. It takes the
	// events of these, and of no others.
	AtEdge func(*catalog.Target) bool
	// Away reports whether a target at the edge cannot be reached; nil: nobody can tell, and its events wait for it.
	Away func(target string) bool
	// Queues are the ways to receivers that are no web servers; nil: there are none.
	Queues outbound.Routes
	// Origin names the chain to receivers that are asked whether they agree to be called, as a DNS name; empty: baton.dev.
	Origin string
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

// callbackBytes bounds the results that are delivered at once in a process: what is large goes a few at a time.
const callbackBytes = 256 << 20

// batchSteps is how many steps of batches a process makes at once: each holds some MiB of requests in memory, and hands them in
// one after the other.
const batchSteps = 4

// prefetch is how many events of a lane wait in a process: many times what comes during a question to the broker, and few
// enough that a process which hangs does not hold up much.
const prefetch = 64

// callbackTries is beyond the callback's own schedule, which ends in its own dead letter.
const callbackTries = 1000

// Ingest returns the HTTP interface, with OpenAI's paths, and those of files and batches where there is a store for them.
func (c Config) Ingest() http.Handler {
	server := c.server()
	openai.Mount(server)
	if c.Objects != nil {
		f := files.New(files.Config{Objects: c.Objects, Limited: server.Limited, Refuse: openai.Refuse, Log: c.Log})
		server.Mount(f.Routes()...)
		server.Mount(c.batches(server, f).Routes()...)
	}
	return server
}

// batches returns what takes batches in at the door, and works them off.
func (c Config) batches(door batches.Door, f batches.Files) *batches.Server {
	return batches.New(batches.Config{
		Door: door, Catalog: c.Catalog, Publisher: c.Bus, Objects: c.Objects, Files: f, Dialect: openai.Dialect{},
		Endpoints: []string{"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"},
		Refuse:    openai.Refuse, Log: c.Log,
	})
}

// Intake returns what takes in what is written to other doors of the given kinds.
func (c Config) Intake(kinds ...intake.Kind) *intake.Taker {
	return intake.New(intake.Config{Door: c.server(), Publisher: c.Bus, Catalog: c.Catalog, Kinds: kinds, Log: c.Log})
}

// server returns the door that all requests come by.
func (c Config) server() *ingest.Server {
	cfg := ingest.Config{
		Catalog: c.Catalog, Publisher: c.Bus, Results: c.Results, Ready: c.Ready, Metrics: c.Metrics, Drain: c.Drain,
		Log: c.Log, Version: Version(), Tokens: c.Tokens, Objects: c.Objects, Queues: c.Queues.Schemes(),
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
		if c.Objects != nil {
			hops = append(hops, events.Batch)
		}
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

// Function returns the hop's function: schedule, infer, callback, or batch, for which Objects must be set.
func (c Config) Function(h events.Hop) (Function, error) {
	nothing := func() {}
	switch h {
	case events.Schedule:
		return Function{Handler: attachments.Resolve(c.Objects, schedule.New(c.schedule())), Close: nothing}, nil
	case events.Infer:
		cfg, closeFetch := c.infer()
		return Function{Handler: attachments.Resolve(c.Objects, infer.New(cfg)), Close: closeFetch}, nil
	case events.Batch:
		if c.Objects == nil {
			return Function{}, errors.New("chain: batches need a store of objects")
		}
		steps := c.batches(c.server(), files.New(files.Config{Objects: c.Objects, Log: c.Log}))
		return Function{Handler: steps.Step, Close: nothing}, nil
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
	if c.Away != nil {
		cfg.Health = present{cfg.Health, c, awayFor}
	}
	return cfg
}

// crowd is how many events wait in a target's lane, in multiples of its calls at once, before tenants wait apart: enough that
// the calls never want for work while the lanes change, and few enough that whoever comes then does not wait long for them.
const crowd = 2

// infer returns the function's configuration, and what releases what that holds.
func (c Config) infer() (_ infer.Config, closeFetch func()) {
	fetch := egress.New(egress.Config{Policy: func() egress.Policy {
		f := c.Catalog().Fetch
		return egress.Policy{AllowNetworks: f.AllowNetworks, AllowHTTP: f.AllowHTTP}
	}})
	expander := attachments.Expander{
		Store: c.Objects, Fetch: fetch, Most: func() int64 { return c.Catalog().Limits.Part },
	}
	cfg := infer.Config{
		Expand: expander.Expand, Catalog: c.Catalog, Models: c.Models, Results: c.Results, MaxResult: c.MaxResult,
		Log: c.Log, Observe: c.Attempted,
	}
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
	cfg.Health = elsewhere{cfg.Health, c}
	return cfg, fetch.CloseIdleConnections
}

func (c Config) callback() callback.Config {
	cfg := callback.Config{Catalog: c.Catalog, Results: c.Results, Secrets: c.Secrets, Version: Version(), Transport: c.Transport}
	cfg.Origin = c.Origin
	if c.Queues != nil {
		cfg.Queues = c.Queues
	}
	if c.Shared != nil {
		cfg.Rates = c.Shared.Rates
	}
	cfg.Ended = func(ctx context.Context, e events.Event) {
		if c.Shared != nil {
			c.Shared.Tally.Ended(ctx, c.Catalog(), e)
		}
		if err := attachments.Clean(ctx, c.Objects, e); err != nil {
			c.Log.Warn("objects of a request are not removed; they expire", "message_id", e.Subject, "error", err)
		}
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
		pool := newInferPool(c, f.Handler)
		return func(ctx context.Context) {
			defer f.Close()
			pool.run(ctx)
		}, nil
	}
	places := concurrency
	if h == events.Batch {
		places = batchSteps
	}
	cfg := c.worker(h, f.Handler, "", places, f.Limits)
	if h == events.Callback {
		cfg.Bytes = callbackBytes
	}
	w, err := hop.NewWorker(cfg)
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
