package ingest

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/problem"
)

// exchange is one request being answered: where the answer goes, who asks, and what the log line will say.
type exchange struct {
	http.ResponseWriter
	status int // 0 until the answer has begun

	catalog   *catalog.Catalog // one for the whole exchange, though the file may change meanwhile
	tenant    *catalog.Tenant  // nil on an open route
	pathID    string           // what stands in the path for a message id, whatever it is
	messageID string           // "" until it is known to be one
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(b) //nolint:gosec // every answer is JSON and says so, with nosniff: no browser takes it for HTML
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.cfg.Now()
	x := &exchange{ResponseWriter: w, catalog: s.cfg.Catalog()}
	rt, id, ok := s.match(r.URL.Path)
	x.pathID = id
	defer func() {
		if v := recover(); v != nil {
			s.panicked(x, rt, v)
		}
		if s.cfg.Log.Enabled(r.Context(), slog.LevelDebug) {
			s.cfg.Log.LogAttrs(r.Context(), slog.LevelDebug, "answered",
				slog.String("method", r.Method), slog.String("route", rt.pattern), slog.Int("status", x.status),
				slog.String("tenant", x.tenantName()), slog.String("message_id", x.messageID),
				slog.Duration("duration", s.cfg.Now().Sub(began)))
		}
	}()
	if !ok {
		problem.New(problem.NotFound, "There is nothing at this path; see /openapi.json.").Write(x)
		return
	}
	if p := s.serve(x, r, rt); p != nil {
		p.Write(x)
	}
}

func (s *Server) serve(x *exchange, r *http.Request, rt route) *problem.Problem {
	handle, p := rt.handler(r.Method)
	if p != nil {
		return p
	}
	if !rt.open {
		if x.tenant, p = authenticate(x.catalog, r); p != nil {
			return p
		}
	}
	if rt.submits {
		if p := s.limited(x, r); p != nil {
			return p
		}
	}
	return handle(x, r)
}

// panicked answers for a handler that panicked: with a problem if nothing was written yet, and else by breaking the
// connection, so that half an answer is not taken for a whole one. The stack goes to the log and never to the caller.
func (s *Server) panicked(x *exchange, rt route, v any) {
	if v == http.ErrAbortHandler { //nolint:errorlint // a sentinel that net/http compares in the same way
		panic(v)
	}
	s.cfg.Log.Error("panic", "route", rt.pattern, "message_id", x.messageID, "panic", v, "stack", string(debug.Stack()))
	if x.status != 0 {
		panic(http.ErrAbortHandler)
	}
	problem.New(problem.Internal, "").Write(x)
}

func (x *exchange) tenantName() string {
	if x.tenant == nil {
		return ""
	}
	return x.tenant.Name
}

// writeJSON answers with a body that is JSON already. Answers are of one caller and of one moment: nothing may keep them.
func (x *exchange) writeJSON(status int, body []byte) {
	h := x.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.WriteHeader(status)
	_, _ = x.Write(body) // an error means that the caller is gone
}

// Header values that every answer shares. They are never written to.
var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
	noSniff  = []string{"nosniff"}
)
