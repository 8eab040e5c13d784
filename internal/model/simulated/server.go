// Package simulated is a model server without a model: OpenAI-compatible over HTTP, with the latency, the errors and the
// length of answers that it is told to have. What it answers is decided by seed, prompt and order of the requests alone,
// so that a load test can be repeated.
package simulated

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"baton.dev/baton/internal/catalog"
)

// bodyLimit bounds a request, far above Baton's own limit.
const bodyLimit = 16 << 20

// Server is one simulated model server. It serves
//
//	POST /v1/chat/completions   whole, or with "stream": true as server-sent events
//	GET  /v1/models
//	GET  /healthz
//
// and refuses what OpenAI refuses, in the same shape. It is an [http.Handler], safe for concurrent use, and holds nothing
// that needs closing.
type Server struct {
	models  []string
	latency latency
	share   float64 // of calls that are answered 503
	tokens  int
	seed    uint64

	number atomic.Uint64 // completions so far: the order that latency and errors are drawn by
	now    func() time.Time
	wait   func(ctx context.Context, d time.Duration) error
}

// New returns a server that behaves as told: a zero P50 answers at once, zero Tokens means one. It serves the models named,
// and any model if none is.
func New(s catalog.Simulate, models ...string) *Server {
	return &Server{
		models:  models,
		latency: fit(s.P50, s.P99),
		share:   s.ErrorRate,
		tokens:  max(s.Tokens, 1),
		seed:    s.Seed,
		now:     time.Now,
		wait:    wait,
	}
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var method string
	var serve http.HandlerFunc
	switch r.URL.Path {
	case "/v1/chat/completions":
		method, serve = http.MethodPost, s.complete
	case "/v1/models":
		method, serve = http.MethodGet, s.list
	case "/healthz":
		method, serve = http.MethodGet, healthz
	default:
		refuse(w, http.StatusNotFound, "Invalid URL ("+r.Method+" "+r.URL.Path+")", invalidRequest, "", "")
		return
	}
	if r.Method != method {
		w.Header().Set("Allow", method)
		refuse(w, http.StatusMethodNotAllowed, "Not allowed to "+r.Method+" on "+r.URL.Path+".", invalidRequest, "",
			"method_not_supported")
		return
	}
	serve(w, r)
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request) {
	buf := buffers.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool holds nothing else
	defer release(buf)
	buf.Reset()
	if n := r.ContentLength; n > 0 && n <= bodyLimit {
		buf.Grow(int(n) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(r.Body, bodyLimit+1)); err != nil {
		refuse(w, http.StatusBadRequest, "The request's body breaks off.", invalidRequest, "", "")
		return
	}
	if buf.Len() > bodyLimit {
		refuse(w, http.StatusRequestEntityTooLarge, "The request is too large.", invalidRequest, "", "request_too_large")
		return
	}
	req, fault := decode(buf.Bytes())
	if fault == nil {
		fault = s.offered(req.Model)
	}
	if fault != nil {
		fault.write(w)
		return
	}

	number := s.number.Add(1)
	draw := newDraw(s.seed, number)
	if draw.uniform() < s.share {
		// At once, as a server sheds load.
		refuse(w, http.StatusServiceUnavailable, "The server is overloaded. Please try again later.", "server_error", "",
			"overloaded")
		return
	}
	if err := s.wait(r.Context(), s.latency.of(draw.normal())); err != nil {
		// The client is gone, or the process ends; only in the second case does anybody read this.
		refuse(w, http.StatusServiceUnavailable, "The server is shutting down.", "server_error", "", "shutting_down")
		return
	}
	prompt := xxhash.Sum64(req.Messages)
	a := answer{
		number: number, created: s.now().Unix(), model: req.Model,
		words: s.tokens, finish: "stop", promptTokens: req.promptTokens,
		draw: newDraw(s.seed, prompt),
	}
	if req.limit > 0 && req.limit < a.words {
		a.words, a.finish = req.limit, "length"
	}
	// Nothing of the request is used from here on: its buffer holds the response.
	buf.Reset()
	if req.Stream {
		a.stream(buf, req.StreamOptions.IncludeUsage)
		w.Header()["Content-Type"] = contentTypeStream
	} else {
		a.whole(buf)
		w.Header()["Content-Type"] = contentTypeJSON
	}
	w.Header()["Content-Length"] = []string{strconv.Itoa(buf.Len())}
	_, _ = w.Write(buf.Bytes())
}

// offered returns the refusal of a model that the server does not have, and nil for one that it has.
func (s *Server) offered(model string) *fault {
	if len(s.models) == 0 || slices.Contains(s.models, model) {
		return nil
	}
	message := "The model `" + model + "` does not exist or you do not have access to it."
	return &fault{http.StatusNotFound, message, "", "model_not_found"}
}

func (s *Server) list(w http.ResponseWriter, _ *http.Request) {
	models := s.models
	if len(models) == 0 {
		models = []string{"simulated"}
	}
	b := []byte(`{"object":"list","data":[`)
	for i, m := range models {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":`...)
		b = appendString(b, m)
		b = append(b, `,"object":"model","created":0,"owned_by":"baton"}`...)
	}
	b = append(b, `]}`...)
	w.Header()["Content-Type"] = contentTypeJSON
	_, _ = w.Write(b)
}

func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Content-Type"] = contentTypeJSON
	_, _ = w.Write([]byte(`{"status":"ok"}`))
}

// wait returns after d, or with ctx's error when ctx is done before.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Headers' values, shared by all responses: net/http only reads them.
var (
	contentTypeJSON   = []string{"application/json"}
	contentTypeStream = []string{"text/event-stream"}
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// release gives a buffer back, unless one large request made it worth forgetting.
func release(buf *bytes.Buffer) {
	if buf.Cap() <= 64<<10 {
		buffers.Put(buf)
	}
}
