package ingest

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"

	"baton.dev/baton/internal/problem"
)

// Exchange is one request being answered: where the answer goes, who asks, and what the log line will say.
type Exchange struct {
	http.ResponseWriter
	Caller // its Tenant is nil on an open route; one Catalog for the whole exchange, though the file may change meanwhile

	status int // 0 until the answer has begun

	r *http.Request

	pathID string // what stands in the path for a message id, whatever it is
}

// WriteHeader implements http.ResponseWriter.
func (x *Exchange) WriteHeader(status int) {
	x.begin(status)
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *Exchange) Write(b []byte) (int, error) {
	x.begin(http.StatusOK)
	return x.ResponseWriter.Write(b) //nolint:gosec // every answer is JSON and says so, with nosniff: no browser takes it for HTML
}

// begin takes note that the answer begins. However late that is, there is time to write it.
func (x *Exchange) begin(status int) {
	if x.status == 0 {
		x.status = status
		x.AnswerIn(0)
	}
}

// Unwrap is for http.ResponseController.
func (x *Exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.cfg.Now()
	x := &Exchange{ResponseWriter: w, r: r, Caller: Caller{Catalog: s.cfg.Catalog()}}
	rt, id, ok := s.match(r)
	x.pathID = id
	defer func() {
		if v := recover(); v != nil {
			s.panicked(x, rt, v)
		}
		if s.cfg.Log.Enabled(r.Context(), slog.LevelDebug) {
			s.cfg.Log.LogAttrs(r.Context(), slog.LevelDebug, "answered",
				slog.String("method", r.Method), slog.String("route", rt.Pattern), slog.Int("status", x.status),
				slog.String("tenant", x.tenantName()), slog.String("message_id", x.MessageID),
				slog.Duration("duration", s.cfg.Now().Sub(began)))
		}
	}()
	if !ok {
		nothing(x, r.URL.Path)
		return
	}
	if p := s.serve(x, r, rt); p != nil {
		rt.refuse(x, p)
	}
}

func (rt Route) refuse(x *Exchange, p *problem.Problem) {
	if rt.Refuse != nil {
		rt.Refuse(x, p)
		return
	}
	p.Write(x)
}

func (s *Server) serve(x *Exchange, r *http.Request, rt Route) *problem.Problem {
	handle, p := rt.handler(r)
	if p != nil {
		return p
	}
	if !rt.Open {
		if x.Tenant, p = authenticate(x.Catalog, r); p != nil {
			return p
		}
	}
	if rt.Submits {
		if p := s.limited(x, r); p != nil {
			return p
		}
	}
	return handle(x, r)
}

// panicked answers for a handler that panicked: with a problem if nothing was written yet, and else by breaking the
// connection, so that half an answer is not taken for a whole one. The stack goes to the log and never to the caller.
func (s *Server) panicked(x *Exchange, rt Route, v any) {
	if v == http.ErrAbortHandler { //nolint:errorlint // a sentinel that net/http compares in the same way
		panic(v)
	}
	s.cfg.Log.Error("panic", "route", rt.Pattern, "message_id", x.MessageID, "panic", v, "stack", string(debug.Stack()))
	if x.status != 0 {
		panic(http.ErrAbortHandler)
	}
	rt.refuse(x, problem.New(problem.Internal, ""))
}

func (x *Exchange) tenantName() string {
	if x.Tenant == nil {
		return ""
	}
	return x.Tenant.Name
}

// WriteJSON answers with a body that is JSON already. Answers are of one caller and of one moment: nothing may keep them.
func (x *Exchange) WriteJSON(status int, body []byte) {
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
