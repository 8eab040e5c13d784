package batches

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/problem"
)

// Config is what a [Server] is made of. The fields that are not marked are required.
type Config struct {
	Door      Door
	Catalog   func() *catalog.Catalog
	Publisher hop.Publisher // of steps
	Objects   objects.Store
	Files     Files
	Dialect   Dialect
	Endpoints []string                                     // that the lines of a batch may ask
	Refuse    func(x *ingest.Exchange, p *problem.Problem) // answers with a problem; nil: as RFC 9457 has it
	Log       *slog.Logger                                 // nil: nothing is logged
	NewID     func() string                                // of a batch, 32 hex digits; nil: random
	Now       func() time.Time                             // nil: time.Now
}

// Server takes in batches and works them off. It is safe for concurrent use and keeps nothing between requests.
type Server struct {
	cfg Config
	now func() time.Time
}

// New returns a server made of cfg.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string {
			var b [16]byte
			_, _ = rand.Read(b[:]) // it never fails
			return hex.EncodeToString(b[:])
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Server{cfg: cfg, now: cfg.Now}
}

// Routes returns the paths to mount.
func (s *Server) Routes() []ingest.Route {
	post := func(h ingest.Handler) map[string]ingest.Handler { return map[string]ingest.Handler{http.MethodPost: h} }
	return []ingest.Route{
		{
			Pattern: "/v1/batches", Refuse: s.cfg.Refuse,
			Methods: map[string]ingest.Handler{http.MethodPost: s.create, http.MethodGet: s.list},
		},
		{Pattern: "/v1/batches/{id}", Refuse: s.cfg.Refuse, Methods: map[string]ingest.Handler{http.MethodGet: s.retrieve}},
		{Pattern: "/v1/batches/{id}/cancel", Refuse: s.cfg.Refuse, Methods: post(s.cancel)},
	}
}

func (s *Server) unavailable(err error) *problem.Problem {
	s.cfg.Log.Error("batches cannot be kept", "error", err)
	return problem.New(problem.Unavailable, "Batches cannot be read or stored at the moment.").With("Retry-After", "2")
}

func answer(x *ingest.Exchange, v any) *problem.Problem {
	b, err := json.Marshal(v)
	if err != nil {
		return problem.New(problem.Internal, "")
	}
	x.WriteJSON(http.StatusOK, b)
	return nil
}
