// Package callback is the last function of the chain: it stores how a request ended and delivers that to its caller,
// signed. It takes completed and failed, and emits nothing.
//
// Storing comes first and decides: of several terminal events of one request the first one stored is how it ended, and
// only that one is delivered, with the bytes that were stored, on every try. Delivery is a POST by Standard Webhooks that
// is a CloudEvent in binary mode too. What an answer means is one table ([judge]), when to try again is another
// ([again]); both are pure.
//
// Which address may be reached is for package egress to say, at each connection. A URL that says by itself that it may not
// be reached is a dead letter at once. A name that resolves to such an address is tried again by the schedule like any
// failure, since what a name resolves to may be a passing fault; it is never connected to in the meantime.
//
// A request's deadline does not end the delivery of its result: what was paid for is worth having late.
//
// Nothing bounds the deliveries to one host at a time but the workers of the process.
package callback

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/egress"
	"baton.dev/baton/internal/hop"
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
	Version string         // in the User-Agent, baton/<version>; default "dev"
	RootCAs *x509.CertPool // what receivers' certificates are verified by; nil is the system's
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
		agent: "baton/" + version,
		now:   time.Now,
	}
}

// Close closes the connections that no delivery uses.
func (c *Callback) Close() { c.client.CloseIdleConnections() }

// Handle implements [hop.Handler].
func (c *Callback) Handle(ctx context.Context, in events.Event) ([]events.Event, error) {
	body, ours, err := c.store(ctx, in)
	if err == nil && in.Tries == 0 {
		c.ended(ctx, in)
	}
	if err != nil || !ours || in.CallbackURL == "" {
		return nil, err
	}
	return nil, c.deliver(ctx, in, body)
}

// store writes down how the request ended. It returns the bytes to deliver, and whether it is for this event to deliver
// them: not so if the request was canceled, belongs to another run, or was ended by another event, which delivers itself.
// Where another copy of this event was first, with other bytes, as a call that was repeated makes, the event goes on with
// those: then it says the same for as long as it lives, and no two bodies go out under one id.
func (c *Callback) store(ctx context.Context, in events.Event) (body []byte, ours bool, err error) {
	var status events.Status
	switch in.Type {
	case events.Completed:
		status = events.StatusCompleted
	case events.Failed:
		status = events.StatusFailed
	default:
		return nil, false, hop.Reject(events.ReasonUnroutable, fmt.Errorf("callback: takes no %s", in.Type.Step()))
	}
	if len(in.Data) == 0 {
		return nil, false, hop.Reject(events.ReasonUndecodable, errors.New("callback: the event has no result"))
	}
	if in.Begun == 0 {
		// No attempt was ever begun, so nobody claimed the request: it may be canceled still.
		stood, err := c.results.Begin(ctx, in.Subject, results.Beginning{Run: in.Run, At: c.now(), Accepted: in.Accepted})
		if err != nil {
			return nil, false, hop.Unavailable(fmt.Errorf("callback: claim: %w", err))
		}
		if stood.Canceled || stood.Run != in.Run {
			return nil, false, nil
		}
	}
	ending, err := c.results.End(ctx, in.Subject, results.Ending{
		EventID: in.ID, Status: status, Body: in.Data, Accepted: in.Accepted,
	})
	if err != nil {
		return nil, false, hop.Unavailable(fmt.Errorf("callback: store result: %w", err))
	}
	if ending.EventID != in.ID {
		return nil, false, nil
	}
	if !bytes.Equal(ending.Body, in.Data) {
		in.Data = ending.Body
		return nil, false, hop.Replace(in)
	}
	return ending.Body, true, nil
}

// deliver makes one try at delivering the result and says what becomes of the event.
func (c *Callback) deliver(ctx context.Context, in events.Event, body []byte) error {
	cat := c.catalog()
	signer, err := c.signers.of(cat, in.Tenant)
	if err != nil {
		if errors.Is(err, errNoSigner) {
			return hop.Reject(events.ReasonMisconfigure, err)
		}
		return again(cat.Callbacks.Retries, in, 0, err) // a secret's file may be on its way
	}
	answer, err := c.post(ctx, cat.Callbacks.Timeout, signer, in, body)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return ctx.Err()
	case refusedForGood(err):
		return hop.Reject(events.ReasonBlocked, err)
	default:
		return again(cat.Callbacks.Retries, in, 0, err)
	}
	verdict := judge(answer.status)
	if verdict == delivered {
		return nil
	}
	err = fmt.Errorf("callback: deliver to %s: status %d", answer.host, answer.status)
	switch verdict {
	case gone:
		return hop.Reject(events.ReasonGone, err)
	case later:
		named, _ := parseRetryAfter(answer.retryAfter, c.now())
		return again(cat.Callbacks.Retries, in, named, err)
	default:
		return again(cat.Callbacks.Retries, in, 0, err)
	}
}
