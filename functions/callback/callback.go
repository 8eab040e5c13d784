// Package callback is the last function of the chain: it stores how a request ended and delivers that to its caller,
// signed. It takes completed and failed, and emits nothing but copies of them where a request has several receivers.
//
// Storing comes first and decides: of several terminal events of one request the first one stored is how it ended, and
// only that one is delivered, with the bytes that were stored, on every try. Delivery is a POST by Standard Webhooks that
// is a CloudEvent in binary mode too, or the same as a message of NATS or SQS. What an answer means is one table
// ([judge]), when to try again is another ([again]); both are pure.
//
// Where a request names several receivers, the event is stored and then emitted anew once for each that wants to be told
// of it. Each copy has its own id, its own tries and its own dead letter, and is delivered without storing. schedule emits
// such copies of failed attempts.
//
// Which address may be reached is for package egress to say, at each connection. A URL that says by itself that it may not
// be reached is a dead letter at once. A name that resolves to such an address is tried again by the schedule like any
// failure, since what a name resolves to may be a passing fault; it is never connected to in the meantime. Where the tenant
// asks for it, a receiver must also have agreed to be called, and how often; see handshake.go.
//
// A request's deadline does not end the delivery of its result: what was paid for is worth having late.
//
// Nothing bounds the deliveries to one host at a time but the workers of the process, and the rate that a receiver agreed
// to.
package callback

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/egress"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/results"
)

// Results is where it is kept how requests end. [results.Store] is one. It is called from many goroutines at once.
type Results interface {
	// Begin claims the request for a run; it returns the claim that stands.
	Begin(ctx context.Context, messageID string, b results.Beginning) (results.Beginning, error)
	// End stores how the request ended; it returns the ending that stands, byte for byte as it was stored first.
	End(ctx context.Context, messageID string, e results.Ending) (results.Ending, error)
}

// Config is what a [Callback] is made of.
type Config struct {
	Catalog func() *catalog.Catalog // the configuration in force; called for each event, from any goroutine
	Results Results
	// Secrets reads a secret. It is called when a tenant's first callback under a catalog is signed, and its error must
	// not show the secret.
	Secrets func(catalog.Secret) (string, error)
	Version string // in the User-Agent, baton/<version>; default "dev"
	// Queues are the ways to receivers that are no web servers, by scheme; nil: there are none, and what is to go there is a
	// dead letter.
	Queues Queues
	// Origin names the chain to receivers that are asked whether they agree to be called, as a DNS name; default baton.dev.
	Origin string
	// Rates counts deliveries against what receivers agreed to; nil: this process alone counts its own.
	Rates   limit.Store
	Now     func() time.Time // the clock; default time.Now
	RootCAs *x509.CertPool   // what receivers' certificates are verified by; nil is the system's
	// Resolver resolves receivers' names; nil is the system's.
	Resolver *net.Resolver
	// Transport makes the deliveries, and it is then for it to refuse what may not be reached; nil is one over the network
	// that reaches only what the catalog in force allows.
	Transport http.RoundTripper
	// Ended, if set, is called once it is stored how a request ended, and perhaps again.
	Ended func(ctx context.Context, in events.Event)
}

// Callback is the function. [Callback.Handle] is its [hop.Handler].
type Callback struct {
	catalog func() *catalog.Catalog
	results Results
	signers signers
	client  *http.Client
	queues  Queues
	rates   limit.Store
	asked   handshakes
	origin  string
	agent   string
	ended   func(context.Context, events.Event)
	now     func() time.Time
}

// New returns the function. Its connections are guarded by what the catalog in force allows, and [Callback.Close] releases
// them.
func New(cfg Config) *Callback {
	policy := func() egress.Policy {
		c := cfg.Catalog().Callbacks
		return egress.Policy{AllowNetworks: c.AllowNetworks, AllowHTTP: c.AllowHTTP}
	}
	version := cfg.Version
	if version == "" {
		version = "dev"
	}
	transport := cfg.Transport
	if transport == nil {
		transport = egress.New(egress.Config{Policy: policy, Resolver: cfg.Resolver, RootCAs: cfg.RootCAs})
	}
	if cfg.Ended == nil {
		cfg.Ended = func(context.Context, events.Event) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Callback{
		ended:   cfg.Ended,
		catalog: cfg.Catalog,
		results: cfg.Results,
		signers: signers{read: cfg.Secrets},
		client: &http.Client{
			Transport: transport,
			// A redirect is an answer like any other: a failure.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		queues: cfg.Queues,
		rates:  cfg.Rates,
		asked:  newHandshakes(),
		origin: cmp.Or(cfg.Origin, defaultOrigin),
		agent:  "baton/" + version,
		now:    cfg.Now,
	}
}

// Close closes the connections that no delivery uses.
func (c *Callback) Close() { c.client.CloseIdleConnections() }

// Handle implements [hop.Handler]. A crash between the storing of a result and the emitting of its copies repeats the event:
// the result that stands is then found to be this event's own, and the copies have the same ids.
func (c *Callback) Handle(ctx context.Context, in events.Event) ([]events.Event, error) {
	if in.Subscriber > 0 {
		return nil, c.deliver(ctx, in, in.Data)
	}
	body, ours, err := c.store(ctx, in)
	if err == nil && in.Tries == 0 {
		c.ended(ctx, in)
	}
	switch {
	case err != nil || !ours:
		return nil, err
	case in.Callbacks != "":
		return c.copies(in, body)
	case in.CallbackURL == "":
		return nil, nil
	default:
		return nil, c.deliver(ctx, in, body)
	}
}

// copies returns the event once for each receiver that wants to be told of it, with the bytes that were stored.
func (c *Callback) copies(in events.Event, body []byte) ([]events.Event, error) {
	in.Data = body
	copies, err := in.Copies()
	if err != nil {
		return nil, hop.Reject(events.ReasonUndecodable, fmt.Errorf("callback: %w", err))
	}
	for i := range copies {
		copies[i].Hops++
	}
	return copies, nil
}
