// Package edge runs infer alone beside a model in another place, at the end of one NATS leaf connection outward.
//
// It takes the lanes of its own targets and no others. What it has begun is finished though the link is cut, and handed in when
// the link is back; what it has not begun is not: a call is claimed first, where the chain is. The outcomes of attempts are
// remembered for ten minutes, so that what comes again after a cut is answered without another call.
//
// What happens if this process dies: the leases of what it held run out, at the hub, and the events go to whoever takes the
// lane then: this process when it is back, or else infer at the hub, which sends them to other targets. Nothing is kept on disk
// here, since nothing is accepted here.
package edge

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/natschain"
	"baton.dev/baton/internal/presence"
	"baton.dev/baton/internal/shared"
)

// Options of an edge. Hub, Config and Log are required.
type Options struct {
	Hub    []string // URLs of the hub's leaf node listeners: nats-leaf://, tls:// or ws(s)://host:port
	Creds  string   // credentials file; empty: none
	CA     string   // file with the authorities that the hub is verified by; empty: the system's
	Config string   // baton.yaml; its targets that are marked edge are served here
	Only   []string // the targets of them that are; empty: all
	Log    *slog.Logger
	Getenv func(string) string // for env: secrets; nil: none are set
	// Models calls the targets; nil: by their api, with the credentials of the configuration.
	Models infer.Models
	// Observe, if set, is called after each delivery is settled.
	Observe func(hop.Settled)
	// Started, if set, is called once the hub was reached and lanes are taken.
	Started func()
}

// again is how often the link is tried, and the hub's chain is looked for at first.
const again = 250 * time.Millisecond

// Run serves the lanes until ctx is done and what it holds is drained. Its error says why it could not begin.
func Run(ctx context.Context, o Options) error {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	watch, err := watch(o)
	if err != nil {
		return err
	}
	if err := o.known(watch.Current()); err != nil {
		return err
	}
	watch.Start()
	defer watch.Stop()
	leaf, err := connect(o)
	if err != nil {
		return err
	}
	defer func() {
		leaf.server.Shutdown()
		leaf.server.WaitForShutdown()
	}()
	nc, err := natsbus.Connect(ctx, natsbus.ConnectOptions{InProcess: leaf.server, Name: "baton-edge", Log: o.Log})
	if err != nil {
		return err
	}
	defer natsbus.Close(nc)
	c := chain.Config{
		Catalog: watch.Current, Secrets: watch.Secret, Log: o.Log, AtEdge: o.serves, Observe: o.Observe, Models: o.Models,
	}
	if c.Models == nil {
		clients := chain.NewClients(watch.Secret, 0, o.Log)
		defer clients.Close()
		c.Models = clients
	}
	there, err := reach(ctx, nc, leaf)
	if err != nil {
		return err
	}
	there.Into(&c)
	if c.Shared, err = shared.New(shared.Config{
		Stores: shared.Stores{Leases: lease.NewMemory()}, Catalog: watch.Current, Results: c.Results, Log: o.Log,
	}); err != nil {
		return err
	}
	o.Log.Info("edge started", "targets", o.served(watch.Current()))
	if o.Started != nil {
		o.Started()
	}
	var announcing sync.WaitGroup
	announcing.Go(func() {
		presence.Announce(ctx, nc, func() []string { return o.served(watch.Current()) })
	})
	err = c.Run(ctx, events.Infer)
	announcing.Wait()
	return err
}

// watch loads the configuration and follows it. Only what is served here is looked at: the credentials of other targets need
// not be on this machine, nor the secrets of tenants.
func watch(o Options) (*catalog.Watch, error) {
	read := func(s catalog.Secret) (string, error) { return s.Resolve(o.Getenv) }
	return catalog.NewWatch(catalog.WatchConfig{
		Path: o.Config, Log: o.Log,
		Accept: func(c *catalog.Catalog) error {
			if len(o.served(c)) == 0 {
				if err := o.known(c); err != nil {
					return err
				}
				return fmt.Errorf("edge: %s has no target to be served here: mark one with edge: true", o.Config)
			}
			return c.CheckTargetKeysOf(read, o.serves)
		},
	})
}

// known returns an error if a target was named that is none at the edge. A target that is taken out of the configuration later
// is no longer served, and that is all.
func (o Options) known(c *catalog.Catalog) error {
	all := Options{}.served(c)
	for _, name := range o.Only {
		if !slices.Contains(all, name) {
			return fmt.Errorf("edge: %s has no target %q with edge: true; those it has are: %s", o.Config, name,
				cmp.Or(strings.Join(all, ", "), "none"))
		}
	}
	return nil
}

// serves reports whether the target is served here.
func (o Options) serves(t *catalog.Target) bool {
	return t.Edge && (len(o.Only) == 0 || slices.Contains(o.Only, t.Name))
}

// served returns the names of the targets that are served here, sorted.
func (o Options) served(c *catalog.Catalog) []string {
	var names []string
	for _, m := range c.Models {
		for _, t := range m.Targets {
			if o.serves(t) {
				names = append(names, t.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// connect starts the server that holds the link: it listens nowhere, keeps nothing, and connects outward until it is stopped.
func connect(o Options) (*link, error) {
	remote := &server.RemoteLeafOpts{Credentials: o.Creds}
	for _, hub := range o.Hub {
		u, err := url.Parse(hub)
		if err != nil || u.Host == "" || !slices.Contains([]string{"nats-leaf", "nats", "tls", "ws", "wss"}, u.Scheme) {
			return nil, errors.New("edge: the hub's URL is none: want nats-leaf://host:7422, or tls:// or wss://")
		}
		remote.TLS = remote.TLS || u.Scheme == "tls" || u.Scheme == "wss"
		remote.URLs = append(remote.URLs, u)
	}
	if len(remote.URLs) == 0 {
		return nil, errors.New("edge: no hub: give the URL of its leaf node listener, such as nats-leaf://host:7422")
	}
	if o.CA != "" {
		pool, err := authorities(o.CA)
		if err != nil {
			return nil, err
		}
		remote.TLS, remote.TLSConfig = true, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	// The names of JetStream's own subjects go through as they are: its home is the hub, and there is none here.
	s, err := server.NewServer(&server.Options{
		ServerName: "baton-edge-" + nuid.Next(), DontListen: true, NoSigs: true, MaxPayload: maxPayload,
		ConnectErrorReports: 1, ReconnectErrorReports: 1, // each failure, for the link to know the last one
		JsAccDefaultDomain: map[string]string{server.DEFAULT_GLOBAL_ACCOUNT: ""},
		LeafNode:           server.LeafNodeOpts{ReconnectInterval: again, Remotes: []*server.RemoteLeafOpts{remote}},
	})
	if err != nil {
		return nil, fmt.Errorf("edge: %w", err)
	}
	l := &link{server: s, log: o.Log}
	s.SetLoggerV2(l, false, false, false)
	s.Start()
	if !s.ReadyForConnections(readyWait) {
		s.Shutdown()
		return nil, errors.New("edge: the server that holds the link is not ready")
	}
	return l, nil
}

// maxPayload is the size of messages that may come over the link: the hub's may be larger than what is usual.
const maxPayload = 8 << 20

// readyWait is how long the server in this process may take to start.
const readyWait = 10 * time.Second

func authorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("edge: authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("edge: authorities: %s holds no certificate", file)
	}
	return pool, nil
}

// An edge that waits for its hub says why after a while, which is longer than a good start takes, and then every so often.
const (
	quiet   = 2 * time.Second
	between = 30 * time.Second
)

// reach opens the hub's chain as soon as the link is there. It tries until ctx is done: an edge may start before its link.
func reach(ctx context.Context, nc *nats.Conn, l *link) (*natschain.Chain, error) {
	say := time.Now().Add(quiet)
	for {
		there, err := open(ctx, nc)
		if err == nil {
			return there, nil
		}
		if now := time.Now(); !now.Before(say) && ctx.Err() == nil {
			l.log.Warn("waiting for the hub", "why", l.wrong(err))
			say = now.Add(between)
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%w: %w", ErrNotReached, err)
		}
	}
}

// ErrNotReached is for an edge that was stopped before it had reached its hub.
var ErrNotReached = errors.New("edge: the hub was not reached")

// openWait bounds one try to open the hub's chain.
const openWait = 5 * time.Second

func open(ctx context.Context, nc *nats.Conn) (*natschain.Chain, error) {
	ctx, cancel := context.WithTimeout(ctx, openWait)
	defer cancel()
	return natschain.Open(ctx, nc)
}
