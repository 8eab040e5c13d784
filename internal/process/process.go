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
	"syscall"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/metrics"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/results/kvcells"
)

// Main runs the function until it is told to stop by SIGINT or SIGTERM, and returns the exit status: 0 after a drain, 1
// when it could not run.
func Main(function events.Hop, getenv func(string) string, stderr io.Writer) int {
	// net/http logs bytes that a peer sends unasked, past every logger of ours. They are not for a log.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
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
	watch, err := catalog.NewWatch(catalog.WatchConfig{Path: env.config, Log: logger})
	if err != nil {
		return err
	}
	watch.Start()
	defer watch.Stop()
	for _, u := range watch.Current().Unsupported() {
		logger.Warn("configuration asks for what this version does not do", "what", u)
	}

	nc, err := natsbus.Connect(natsbus.ConnectOptions{
		URL: env.natsURL, Creds: env.natsCreds, CA: env.natsCA, Name: "baton-" + string(function), Log: logger,
	})
	if err != nil {
		return err
	}
	defer nc.Close()
	bus, err := natsbus.New(ctx, nc, natsbus.Options{Replicas: env.replicas, Together: env.syncAlways})
	if err != nil {
		return err
	}
	cells, err := kvcells.New(ctx, nc, bus.JetStream(), kvcells.Options{Replicas: env.replicas, Together: env.syncAlways})
	if err != nil {
		return err
	}

	secrets := func(s catalog.Secret) (string, error) { return s.Resolve(getenv) }
	counted := metrics.New()
	c := chain.Config{
		Bus: bus, Results: results.New(cells), Catalog: watch.Current, Secrets: secrets, Log: logger,
		Models:  model.Clients{catalog.OpenAI: model.NewOpenAI(model.OpenAIConfig{Key: secrets})},
		Observe: counted.Observe, Metrics: counted.Handler(), Ready: bus.Ready,
	}
	logger.Info("started", "version", chain.Version(), "listen", env.listen)
	if function == events.Ingest {
		return serve(ctx, env.listen, c.Ingest())
	}
	return runBeside(ctx, env.listen, operations(counted.Handler(), bus.Ready), func(ctx context.Context) error {
		return c.Run(ctx, function)
	})
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
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			http.Error(w, "the broker cannot be reached", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	return mux
}
