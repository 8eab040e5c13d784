// Package ingest is the first function of the chain: HTTP in, requested events out.
//
// It authenticates a request, holds it against its tenant's limits, checks it whole, makes its ids, stores it durably and
// only then answers 202. What a caller did wrong it says in RFC 9457 problems that name every bad field at once. It also
// answers for what became of a request, from the results store, and cancels what has not begun.
//
// The same request again is the same message: the message id is made from the tenant and the request_id, and what stands
// in the results store under it decides whether anything is left to do. See accept.go for the order of the steps and what
// a crash between them means.
package ingest

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/admission"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/tally"
	"baton.dev/baton/internal/tokens"
)

// Config is what a [Server] is made of.
type Config struct {
	// Catalog returns the configuration in force; it is asked once a request. Required.
	Catalog func() *catalog.Catalog
	// Publisher stores requested events. Required.
	Publisher hop.Publisher
	// Results keeps what is known of each request. Required.
	Results *results.Store
	// CheckCallback says what is wrong with a callback URL, as far as the URL itself tells: its scheme, credentials in it,
	// an address that is not allowed. Of its error the caller is told the host and the reason of an [egress.BlockedError],
	// and nothing of any other. Nil: every http and https URL without credentials will do.
	//
	// [egress.BlockedError]: https://pkg.go.dev/baton.dev/baton/internal/egress#BlockedError
	CheckCallback func(*url.URL) error
	// Queues are the schemes of the queues that callbacks can be delivered to, nats and sqs. Nil: a callback that names a
	// queue is refused.
	Queues []string
	// Limit counts what tenants submit against their rates, and refuses what is too fast. Nil: rates are not looked at.
	Limit *limit.Limiter
	// Tally counts the requests of tenants that bound what is queued, and refuses those above. Nil: no bound is looked at.
	// Whoever writes down that a request ended calls [tally.Tally.Ended] of the same store.
	Tally *tally.Tally
	// Admission says how long a request would wait; one that would pass its deadline is refused. Nil: none is.
	Admission *admission.Gate
	// Budget says whether a tenant with a budget may spend more; where it cannot say, such tenants wait. Nil: no budget is
	// looked at.
	Budget Budget
	// CacheKey names what determines the answer to a valid request: equal keys, equal answers. It is called for models that
	// keep answers, unless the caller wants a fresh one. Nil: no answer is kept.
	CacheKey func(tenant string, m *catalog.Model, r events.Request) string
	// Tokens has the pieces of answers that are wanted while they are made. Nil: results are only had whole.
	Tokens tokens.Relay
	// Streams bounds how many requests are followed at once in this process; 0: 10,000.
	Streams int
	// TenantStreams bounds how many of them are one tenant's; 0: 5,000.
	TenantStreams int
	// Objects keeps what is too large for an event. Nil: what is too large is refused.
	Objects objects.Store
	// MaxEvent is how many bytes of a request go into an event; 0: 900 KiB. A larger one is kept in Objects.
	MaxEvent int
	// Ready returns an error while requests cannot be stored; /readyz then answers 503. Nil: always ready.
	Ready func(context.Context) error
	// Drain is done when the server is to stop: who waits for a result is answered at once with where the request stands,
	// and nobody waits from then on. Nil: never.
	Drain context.Context //nolint:containedctx // it is of the server, not of a call
	// Metrics answers /metrics. Nil: 404.
	Metrics http.Handler
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// NewID makes the id of a request that has none, a UUID; nil: a random one (version 4).
	NewID func() string
	// Log takes a line per request at debug, and what went wrong on this side at warn and error. Nil: nothing is logged.
	Log *slog.Logger
	// Version is said in /openapi.json. Empty: 0.0.0.
	Version string
}

// Server answers the chain's HTTP interface. It is safe for concurrent use, and keeps nothing between requests. Timeouts of
// connections are for the http.Server around it to set.
type Server struct {
	cfg     Config
	schema  *jsonschema.Schema
	openAPI []byte
	fixed   map[string]Route // by path
	request Route            // /v1/inferences/{message_id}
	mounted []Route
	room    *room
}

// New returns a server made of cfg.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = uuid.NewString
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.CheckCallback == nil {
		cfg.CheckCallback = func(*url.URL) error { return nil }
	}
	if cfg.Drain == nil {
		cfg.Drain = context.Background()
	}
	if cfg.Ready == nil {
		cfg.Ready = func(context.Context) error { return nil }
	}
	s := &Server{cfg: cfg, schema: compileSchema(), openAPI: openAPIDocument(cfg.Version)}
	s.fixed, s.request = s.routes()
	s.room = newRoom(cfg.Streams, cfg.TenantStreams)
	s.Mount(s.streamRoute())
	return s
}

// now returns the time to write down: in UTC, without a monotonic reading, so that it is equal to itself read back.
func (s *Server) now() time.Time { return s.cfg.Now().UTC().Round(0) }
