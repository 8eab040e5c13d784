// Package process runs one function of the chain as a process of its own, on a NATS server, by its environment.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/redis/go-redis/v9/logging"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/metrics"
	"baton.dev/baton/internal/natschain"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/redisstate"
	"baton.dev/baton/internal/shared"
	"baton.dev/baton/internal/webhook"
)

// Main runs the function until it is told to stop by SIGINT or SIGTERM, and returns the exit status: 0 after a drain, 1
// when it could not run.
func Main(function events.Hop, getenv func(string) string, stderr io.Writer) int {
	// net/http logs bytes that a peer sends unasked, past every logger of ours. They are not for a log.
	log.SetOutput(io.Discard)
	logging.Disable() // go-redis's own, which knows no levels: what matters of it is said by who uses it
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := Run(ctx, function, getenv, stderr); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", function, err)
		return 1
	}
	return 0
}

// Run runs the function until ctx is done and it is drained.
func Run(ctx context.Context, function events.Hop, getenv func(string) string, stderr io.Writer) error {
	env, err := readEnvironment(getenv, function)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: env.logLevel})).With("function", string(function))
	stores, closeStores, err := openStores(env.redisURL)
	if err != nil {
		return err
	}
	defer closeStores()
	read := func(s catalog.Secret) (string, error) { return s.Resolve(getenv) }
	watch, err := catalog.NewWatch(catalog.WatchConfig{
		Path: env.config, Log: logger,
		Accept: func(c *catalog.Catalog) error { return errors.Join(shared.Check(c, stores), accept(function, read)(c)) },
	})
	if err != nil {
		return err
	}
	watch.Start()
	defer watch.Stop()
	for _, w := range watch.Current().Warnings() {
		logger.Warn("configuration has a warning", "what", w)
	}

	warnOfSimulated(function, watch.Current(), logger)
	there, disconnect, err := open(ctx, env, "baton-"+string(function), logger)
	if err != nil {
		return err
	}
	defer disconnect()
	clients := chain.NewClients(watch.Secret, there.MaxResult, logger)
	defer clients.Close()
	counted := metrics.New()
	known, err := shared.New(shared.Config{
		Stores: stores, Catalog: watch.Current, Results: there.Results, Depths: there.Bus.Depths, OnBreaker: counted.Breaker,
		Log: logger,
	})
	if err != nil {
		return err
	}
	c := chain.Config{
		Catalog: watch.Current, Secrets: watch.Secret, Log: logger, Shared: known, Models: clients,
		Attempted: counted.Attempted, Observe: counted.Observe, Metrics: counted.Handler(), Origin: env.origin,
	}
	there.Into(&c)
	defer logger.Info("stopped")
	context.AfterFunc(ctx, func() { logger.Info("draining") })
	logger.Info("started", "version", chain.Version(), "listen", env.listen)
	switch function {
	case events.Ingest:
		c.Drain = ctx
		var running sync.WaitGroup
		defer running.Wait()
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		running.Go(func() { c.Intake(there.Kinds(watch.Current, watch.Secret, logger)...).Run(ctx) })
		return runBeside(ctx, env.listen, counted.Instrument(c.Ingest()), func(ctx context.Context) error {
			return c.Run(ctx, events.Batch)
		})
	case events.Infer:
		asking, stop := context.WithCancel(ctx)
		defer stop()
		go clients.Probe(asking, c.Asked, known.Health)
	case events.Schedule, events.Callback, events.Batch, events.Dead:
	}
	return runBeside(ctx, env.listen, operations(counted.Handler(), there.Bus.Ready), func(ctx context.Context) error {
		return c.Run(ctx, function)
	})
}

// open makes what the chain needs on the NATS server of the environment. Pieces of answers have a connection of their own.
func open(ctx context.Context, env environment, name string, logger *slog.Logger) (*natschain.Chain, func(), error) {
	connect := natsbus.ConnectOptions{URL: env.natsURL, Creds: env.natsCreds, CA: env.natsCA, Name: name, Log: logger}
	nc, err := natsbus.Connect(ctx, connect)
	if err != nil {
		return nil, nil, err
	}
	connect.Name += "-tokens"
	pieces, err := natsbus.Connect(ctx, connect)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	disconnect := func() {
		natsbus.Close(pieces)
		natsbus.Close(nc)
	}
	there, err := natschain.New(ctx, nc, natschain.Options{Replicas: env.replicas, Together: env.syncAlways, Tokens: pieces}, logger)
	if err != nil {
		disconnect()
	}
	return there, disconnect, err
}

// warnOfSimulated says which targets infer cannot call.
func warnOfSimulated(function events.Hop, c *catalog.Catalog, logger *slog.Logger) {
	if function != events.Infer {
		return
	}
	for _, name := range simulated(c) {
		logger.Warn("calls of the target fail: simulated targets are for baton up", "target", name)
	}
}

// simulated returns the targets that only a local chain has servers for, sorted.
func simulated(c *catalog.Catalog) []string {
	var names []string
	for _, m := range c.Models {
		for _, t := range m.Targets {
			if t.API == catalog.Simulated {
				names = append(names, t.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// openStores returns what is shared through the Redis of the URL; without one, nothing is.
func openStores(url string) (stores shared.Stores, closeStores func(), err error) {
	if url == "" {
		return shared.Stores{}, func() {}, nil
	}
	client, err := redisstate.Open(url, redisstate.Options{})
	if err != nil {
		return shared.Stores{}, nil, fmt.Errorf("BATON_REDIS_URL: %w", err)
	}
	return redisstate.Stores(client), func() { _ = client.Close() }, nil
}

// accept returns what a configuration must have for the function to take it over: the secrets that it will need.
func accept(function events.Hop, read func(catalog.Secret) (string, error)) func(*catalog.Catalog) error {
	switch function {
	case events.Infer:
		return func(c *catalog.Catalog) error {
			return c.CheckTargetKeysOf(read, func(t *catalog.Target) bool { return !t.Edge })
		}
	case events.Ingest:
		return func(c *catalog.Catalog) error { return c.CheckIntakeSecrets(read) }
	case events.Callback:
		return func(c *catalog.Catalog) error { return c.CheckTenantSecrets(read, webhook.CheckSecret) }
	default:
		return func(*catalog.Catalog) error { return nil }
	}
}

// runBeside runs work, and serves handler beside it if there is an address to listen on. Whichever ends first ends both.
func runBeside(ctx context.Context, listen string, handler http.Handler, work func(context.Context) error) error {
	if listen == "" {
		return work(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		defer cancel()
		served <- serve(ctx, listen, handler)
	}()
	err := work(ctx)
	cancel()
	return errors.Join(err, <-served)
}

// operations answers what operators ask of a function that has no HTTP interface of its own.
func operations(counted http.Handler, ready func(context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", counted)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { state(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if ready(r.Context()) != nil {
			problem.New(problem.Unavailable, "The broker cannot be reached.").Write(w)
			return
		}
		state(w, "ready")
	})
	return mux
}

// state answers as ingest does.
func state(w http.ResponseWriter, word string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, "{\"status\":%q}\n", word)
}
