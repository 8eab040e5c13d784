// Package local runs the whole chain in one process: an embedded JetStream on disk, the four functions, simulated models and a
// receiver for callbacks. It is the same chain as anywhere: only the servers are inside.
package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats.go"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/metrics"
	"baton.dev/baton/internal/natschain"
	"baton.dev/baton/internal/process"
	"baton.dev/baton/internal/shared"
	"baton.dev/baton/local/receiver"
)

// Options of a local chain. The zero value means the defaults.
type Options struct {
	Listen     string // HTTP address; default 127.0.0.1:8080
	Data       string // directory of everything that is kept; default a temporary one, removed at the end
	Config     string // baton.yaml; default DIR/baton.yaml, written if it is not there
	NATS       string // URL of a server to use instead of an embedded one
	NATSListen string // address of the embedded server; default 127.0.0.1:4222, or a free port if that is taken
	LeafListen string // address at which the embedded server takes the connections of edges; empty: none, "127.0.0.1:0" a free port
	Redis      string // URL of a server to share what is known with other chains; default this process alone
	Sync       Sync
	Log        *slog.Logger
	Getenv     func(string) string // for env: secrets; default none are set
	// Observe, if set, is called after each delivery is settled.
	Observe func(hop.Settled)
}

// Local is a running chain.
type Local struct {
	URL      string // of the HTTP interface
	Key      string // of the tenant "local"; empty with a configuration of one's own
	Data     string
	NATSURL  string
	LeafURL  string             // where edges connect; empty: nowhere
	RedisURL string             // empty where there is none
	Receiver *receiver.Receiver // at URL/_sink
	Catalog  func() *catalog.Catalog

	stores shared.Stores
	secret func(catalog.Secret) (string, error)

	stop []func() // in the order they are called
	once sync.Once
}

// SinkPath is where the receiver of callbacks answers.
const SinkPath = "/_sink"

// Start starts a chain. It must be stopped with Stop.
func Start(ctx context.Context, o Options) (_ *Local, err error) {
	if o.Listen == "" {
		o.Listen = process.DefaultListen
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	l := &Local{}
	defer func() {
		if err != nil {
			l.Stop()
		}
	}()
	// The listener comes first: a second chain on the same address ends here, with nothing made.
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("local: listen on %s: %w", o.Listen, err)
	}
	l.onStop(func() { _ = listener.Close() })
	l.URL = "http://" + listener.Addr().String()
	if err := l.openData(o.Data); err != nil {
		return nil, err
	}
	if err := l.openStores(o); err != nil {
		return nil, err
	}
	if err := l.openConfig(o); err != nil {
		return nil, err
	}
	nc, pieces, err := l.openNATS(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := l.run(ctx, o, nc, pieces, listener); err != nil {
		return nil, err
	}
	return l, nil
}

// run starts the functions and the HTTP interface.
func (l *Local) run(ctx context.Context, o Options, nc, pieces *nats.Conn, listener net.Listener) error {
	there, err := natschain.New(ctx, nc, natschain.Options{Together: o.Sync.Always, Tokens: pieces}, o.Log)
	if err != nil {
		return err
	}
	secrets := l.secret
	if l.Receiver, err = newReceiver(l.Catalog(), secrets); err != nil {
		return err
	}
	models := newModels(secrets, there.MaxResult, o.Log)
	l.onStop(models.close)
	counted := metrics.New()
	known, err := shared.New(shared.Config{
		Stores: l.stores, Catalog: l.Catalog, Results: there.Results, Depths: there.Bus.Depths, OnBreaker: counted.Breaker, Log: o.Log,
	})
	if err != nil {
		return err
	}
	c := chain.Config{
		Catalog: l.Catalog, Secrets: secrets, Models: models, Log: o.Log, Shared: known,
		Attempted: counted.Attempted, Metrics: counted.Handler(),
		Observe: func(s hop.Settled) {
			counted.Observe(s)
			if o.Observe != nil {
				o.Observe(s)
			}
		},
	}
	there.Into(&c)
	work, drain := context.WithCancel(context.WithoutCancel(ctx))
	c.Drain = work
	var running sync.WaitGroup
	l.onStop(running.Wait)
	failed := make(chan error, 1)
	running.Go(func() { failed <- c.Run(work) })
	running.Go(func() { c.Intake(there.Kinds(l.Catalog, secrets, o.Log)...).Run(work) })
	running.Go(func() { models.Probe(work, c.Asked, known.Health) })
	select {
	case err := <-failed: // before it is told to: it could not start
		drain()
		return errors.Join(errors.New("local: the functions did not start"), err)
	default:
	}

	front := counted.Instrument(c.Ingest())
	server := process.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == SinkPath {
			l.Receiver.ServeHTTP(w, r)
			return
		}
		front.ServeHTTP(w, r)
	}))
	go func() { _ = server.Serve(listener) }() // it ends with Shutdown, and whoever calls then sees it
	l.onStop(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	})
	l.onStop(drain) // first of all: no more is begun, and who waits for a result is answered
	return nil
}

// Stop drains the chain and closes everything: it accepts no more, lets what has begun end, and keeps the rest on disk.
// Every call returns when it is done.
func (l *Local) Stop() {
	l.once.Do(func() {
		for _, stop := range l.stop {
			stop()
		}
	})
}

// onStop adds a step to Stop, before those added earlier.
func (l *Local) onStop(f func()) { l.stop = append([]func(){f}, l.stop...) }

// openData makes the data directory.
func (l *Local) openData(dir string) error {
	if dir == "" {
		temporary, err := os.MkdirTemp("", "baton-")
		if err != nil {
			return fmt.Errorf("local: data directory: %w", err)
		}
		l.onStop(func() { _ = os.RemoveAll(temporary) })
		dir = temporary
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("local: data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("local: data directory: %w", err)
	}
	l.Data = dir
	return l.lock()
}

// lock holds the directory for this process alone: two servers on the same files would destroy them. The kernel releases it
// when the process ends, however it ends.
func (l *Local) lock() error {
	path := filepath.Join(l.Data, "lock")
	held := flock.New(path, flock.SetPermissions(0o600))
	ok, err := held.TryLock()
	if err != nil {
		return fmt.Errorf("local: data directory: lock: %w", err)
	}
	if !ok {
		pid, _ := os.ReadFile(path)
		return fmt.Errorf("local: data directory %s is in use by process %s", l.Data, bytes.TrimSpace(pid))
	}
	l.onStop(func() { _ = held.Unlock() })
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return fmt.Errorf("local: data directory: lock: %w", err)
	}
	return nil
}
