// Package natschain makes what a chain needs on a NATS server: the transport, the results, the relay of pieces, the objects, the
// ways out and the ways in. It is for whoever runs functions there, in one process or in several.
package natschain

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats.go"

	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/intake"
	"baton.dev/baton/internal/intake/kafkaintake"
	"baton.dev/baton/internal/intake/natsintake"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/objects/natsobjects"
	"baton.dev/baton/internal/outbound"
	"baton.dev/baton/internal/outbound/natsout"
	"baton.dev/baton/internal/presence"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/results/kvcells"
	"baton.dev/baton/internal/tokens"
	"baton.dev/baton/internal/tokens/natstokens"
)

// Options of what is made. The zero value means the defaults.
type Options struct {
	Replicas int  // copies of what is stored; default those it has, or 1
	Together bool // commit what comes at the same time in one batch: for a server that syncs always
	// Tokens is a connection for the pieces of answers, so that what is stored does not wait behind them; nil: the chain's own.
	Tokens *nats.Conn
}

// Chain is what a chain needs, over one connection, which stays its caller's to close.
type Chain struct {
	Bus     *natsbus.Bus
	Results *results.Store
	Tokens  tokens.Relay
	Objects objects.Store
	Queues  outbound.Routes
	// MaxResult is how many bytes of a result the server takes; 0: what any server takes.
	MaxResult int

	replicas int
	presence *presence.Watch
}

// New makes it, and the streams for it that are not there.
func New(ctx context.Context, nc *nats.Conn, o Options, log *slog.Logger) (*Chain, error) {
	bus, err := natsbus.New(ctx, nc, natsbus.Options{Replicas: o.Replicas, Together: o.Together})
	if err != nil {
		return nil, err
	}
	js := bus.JetStream()
	cells, err := kvcells.New(ctx, nc, js, kvcells.Options{Replicas: o.Replicas, Together: o.Together})
	if err != nil {
		return nil, err
	}
	store, err := natsobjects.New(ctx, js, natsobjects.Options{Replicas: o.Replicas})
	if err != nil {
		return nil, err
	}
	relay, relayed := nc, js
	if o.Tokens != nil {
		relay = o.Tokens
		if relayed, err = natsbus.NewJetStream(relay); err != nil {
			return nil, err
		}
	}
	present, err := presence.Follow(nc)
	if err != nil {
		return nil, err
	}
	return &Chain{
		Bus: bus, Results: results.New(cells), Objects: store, Tokens: natstokens.New(ctx, relay, relayed, log),
		Queues: outbound.Routes{outbound.NATS: natsout.New(js)}, MaxResult: maxResult(nc.MaxPayload()),
		replicas: o.Replicas, presence: present,
	}, nil
}

// besides is what a message may have beside a result: attributes, and the headers of what is kept.
const besides = 124 << 10

// mostResult bounds a result on a server that takes more: NATS warns of messages over 8 MiB.
const mostResult = 8 << 20

// maxResult returns how many bytes of a result fit into a message.
func maxResult(payload int64) int {
	return int(min(max(payload-besides, 0), mostResult))
}

// Open returns what infer needs of a chain that others have made, and changes nothing of it: for an edge.
func Open(ctx context.Context, nc *nats.Conn) (*Chain, error) {
	bus, err := natsbus.Open(ctx, nc)
	if err != nil {
		return nil, err
	}
	cells, err := kvcells.Open(ctx, nc, bus.JetStream())
	if err != nil {
		return nil, err
	}
	store, err := natsobjects.Open(ctx, bus.JetStream())
	if err != nil {
		return nil, err
	}
	return &Chain{Bus: bus, Results: results.New(cells), Objects: store, Tokens: natstokens.Open(nc)}, nil
}

// Into sets the fields of the configuration that are the chain's.
func (n *Chain) Into(c *chain.Config) {
	c.Bus, c.Results, c.Tokens, c.Objects, c.Ready = n.Bus, n.Results, n.Tokens, n.Objects, n.Bus.Ready
	c.Queues, c.MaxResult = n.Queues, n.MaxResult
	if n.presence != nil {
		c.Away = n.presence.Away
	}
}

// Kinds returns the doors beside HTTP.
func (n *Chain) Kinds(
	cat func() *catalog.Catalog, secrets func(catalog.Secret) (string, error), log *slog.Logger,
) []intake.Kind {
	return []intake.Kind{
		natsintake.New(n.Bus.JetStream(), natsintake.Options{Replicas: n.replicas}),
		kafkaintake.New(kafkaintake.Config{Catalog: cat, Secrets: secrets, Log: log}),
	}
}
