package batches

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

// Door is where requests are taken in. A [*ingest.Server] is one.
type Door interface {
	Submit(ctx context.Context, c *ingest.Caller, sub ingest.Submission) (ingest.Receipt, *problem.Problem)
	Look(ctx context.Context, c *ingest.Caller, messageID string) (results.Standing, *problem.Problem)
	Cancel(ctx context.Context, c *ingest.Caller, messageID string) (events.Status, *problem.Problem)
}

// Files is where the tenants' files are kept.
type Files interface {
	// Keep stores a file that its tenant can then read, under the given id, until it expires.
	Keep(ctx context.Context, tenant, id, name, purpose string, expires time.Time, content io.Reader) error
}

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

// maxBody bounds the body of a create.
const maxBody = 64 << 10

// create answers POST /v1/batches. The batch is there once its record is written; that its first step is stored is what the
// answer waits for. A crash between the two leaves a batch that stays in validation until it expires: its caller was told nothing.
func (s *Server) create(x *ingest.Exchange, r *http.Request) *problem.Problem {
	var in struct {
		InputFileID      string            `json:"input_file_id"`
		Endpoint         string            `json:"endpoint"`
		CompletionWindow string            `json:"completion_window"`
		Metadata         map[string]string `json:"metadata"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(x, r.Body, maxBody))
	if err != nil {
		return problem.New(problem.TooLarge, "The body is over the limit of "+strconv.Itoa(maxBody)+" bytes, or broke off.")
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return problem.New(problem.Malformed, "The body is no JSON object with input_file_id, endpoint and completion_window.")
	}
	var faults []problem.FieldError
	fault := func(pointer, detail string) {
		faults = append(faults, problem.FieldError{Pointer: pointer, Detail: detail})
	}
	if !slices.Contains(s.cfg.Endpoints, in.Endpoint) {
		fault("/endpoint", "must be one of "+strings.Join(s.cfg.Endpoints, ", "))
	}
	if in.CompletionWindow != window {
		fault("/completion_window", "must be "+window)
	}
	if !small(in.Metadata) {
		fault("/metadata", "must have 16 pairs at most, with names of up to 64 characters and values of up to 512")
	}
	switch _, err := attachments.StatFile(r.Context(), s.cfg.Objects, x.Tenant.Name, in.InputFileID); {
	case errors.Is(err, objects.ErrNotFound):
		fault("/input_file_id", "names no file of this key's")
	case err != nil:
		return s.unavailable(err)
	}
	if len(faults) > 0 {
		return problem.New(problem.Invalid, "The batch is not valid; see errors.", faults...)
	}
	now := s.now()
	rec := &record{Tenant: x.Tenant.Name, Batch: Batch{
		ID: "batch_" + s.cfg.NewID(), Object: "batch", Endpoint: in.Endpoint, InputFileID: in.InputFileID,
		CompletionWindow: window, Status: Validating, CreatedAt: now.Unix(), ExpiresAt: now.Add(windowTime).Unix(),
		Metadata: in.Metadata,
	}}
	if err := s.write(r.Context(), rec); err != nil {
		return s.unavailable(err)
	}
	first, err := s.event(rec, time.Time{})
	if err == nil {
		err = s.cfg.Publisher.Publish(r.Context(), first)
	}
	if err != nil {
		return s.unavailable(err)
	}
	return answer(x, rec.Batch)
}

// small reports whether metadata is within the bounds of OpenAI's API.
func small(metadata map[string]string) bool {
	for name, value := range metadata {
		if utf8.RuneCountInString(name) > 64 || utf8.RuneCountInString(value) > 512 {
			return false
		}
	}
	return len(metadata) <= 16
}

// retrieve answers GET /v1/batches/{id}.
func (s *Server) retrieve(x *ingest.Exchange, r *http.Request) *problem.Problem {
	rec, p := s.find(r.Context(), x, r.PathValue("id"))
	if p != nil {
		return p
	}
	return answer(x, rec.Batch)
}

// cancel answers POST /v1/batches/{id}/cancel. What has begun goes on, and is among the answers.
func (s *Server) cancel(x *ingest.Exchange, r *http.Request) *problem.Problem {
	rec, p := s.find(r.Context(), x, r.PathValue("id"))
	if p != nil {
		return p
	}
	if rec.Batch.Status.over() {
		return problem.New(problem.Conflict, "Cannot cancel a batch with status '"+string(rec.Batch.Status)+"'.")
	}
	if err := s.put(r.Context(), rec, cancelKey(rec.Tenant, rec.Batch.ID), []byte("{}")); err != nil {
		return s.unavailable(err)
	}
	rec.Batch.Status, rec.Batch.CancellingAt = Cancelling, at(s.now())
	return answer(x, rec.Batch)
}

// list answers GET /v1/batches?limit=N&after=ID: the tenant's own, newest first.
func (s *Server) list(x *ingest.Exchange, r *http.Request) *problem.Problem {
	limit := 20
	if given := r.URL.Query().Get("limit"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || n > 100 {
			return problem.New(problem.Malformed, "The query parameter limit must be a whole number from 1 to 100.")
		}
		limit = n
	}
	all, err := s.listed(r.Context(), x.Tenant.Name)
	if err != nil {
		return s.unavailable(err)
	}
	if after := r.URL.Query().Get("after"); after != "" {
		i := slices.IndexFunc(all, func(b Batch) bool { return b.ID == after })
		if i < 0 {
			return problem.New(problem.NotFound, "There is no such batch to begin after.")
		}
		all = all[i+1:]
	}
	page := all[:min(limit, len(all))]
	out := struct {
		Object  string  `json:"object"`
		Data    []Batch `json:"data"`
		FirstID *string `json:"first_id"`
		LastID  *string `json:"last_id"`
		HasMore bool    `json:"has_more"`
	}{Object: "list", Data: page, HasMore: len(page) < len(all)}
	if len(page) > 0 {
		out.FirstID, out.LastID = &page[0].ID, &page[len(page)-1].ID
	}
	return answer(x, out)
}

// listed returns the tenant's batches, newest first. It reads each: a tenant has few, and seldom asks.
func (s *Server) listed(ctx context.Context, tenant string) ([]Batch, error) {
	all := []Batch{}
	lister, ok := s.cfg.Objects.(objects.Lister)
	if !ok {
		return all, nil
	}
	infos, err := lister.List(ctx, prefix+tenant+"/")
	if err != nil {
		return nil, err
	}
	for _, info := range infos {
		id, ok := strings.CutSuffix(strings.TrimPrefix(info.Key, prefix+tenant+"/"), "/batch")
		if !ok || strings.Contains(id, "/") {
			continue
		}
		r, err := s.read(ctx, tenant, id)
		if errors.Is(err, objects.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s.shown(ctx, r))
	}
	slices.SortFunc(all, func(a, b Batch) int {
		if a.CreatedAt != b.CreatedAt {
			return int(b.CreatedAt - a.CreatedAt)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all, nil
}

// find returns the tenant's own batch.
func (s *Server) find(ctx context.Context, x *ingest.Exchange, id string) (*record, *problem.Problem) {
	r, err := s.read(ctx, x.Tenant.Name, id)
	switch {
	case errors.Is(err, objects.ErrNotFound):
		return nil, problem.New(problem.NotFound, "There is no such batch, or it is no longer kept.")
	case err != nil:
		return nil, s.unavailable(err)
	}
	r.Batch = s.shown(ctx, r)
	return r, nil
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
