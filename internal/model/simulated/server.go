// Package simulated is a model server without a model: OpenAI-compatible over HTTP, with the latency, the errors and the
// length of answers that it is told to have. What it answers is decided by seed, prompt and order of the requests alone,
// so that a load test can be repeated; the words of an answer are decided by seed and prompt, and are the same whichever
// endpoint asks for them and however the prompt is spelled in JSON.
package simulated

import (
	"bytes"
	"context"
	"crypto/subtle"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"baton.dev/baton/internal/catalog"
)

// Server is one simulated model server. It serves
//
//	POST /v1/chat/completions   whole, or with "stream": true as server-sent events
//	POST /v1/completions        the same
//	POST /v1/embeddings
//	     /v1/responses          create (whole, streamed, in the background), get, cancel, delete
//	     /v1/files              upload, list, get, content, delete
//	     /v1/batches            create, list, get, cancel
//	GET  /v1/models             and /v1/models/{model}
//	GET  /healthz
//
// and refuses what OpenAI refuses, in the same shape. What it is given to keep it keeps in memory, the newest of it. It is
// an [http.Handler], safe for concurrent use, and holds nothing that needs closing: what happens in the background is worked
// out when it is asked for.
type Server struct {
	models []string
	usual  behaviour
	others map[string]behaviour // by model
	key    string

	number *atomic.Uint64 // answers so far: the order that latency and errors are drawn by
	kept   *archive
	now    func() time.Time
	wait   func(ctx context.Context, d time.Duration) error
}

// behaviour is what decides how a request is answered.
type behaviour struct {
	latency latency
	share   float64 // of calls that are answered 503
	tokens  int
	seed    uint64
}

func behave(s catalog.Simulate) behaviour {
	return behaviour{latency: fit(s.P50, s.P99), share: s.ErrorRate, tokens: max(s.Tokens, 1), seed: s.Seed}
}

// New returns a server that behaves as told: a zero P50 answers at once, zero Tokens means one. It serves the models named,
// and any model if none is.
func New(s catalog.Simulate, models ...string) *Server {
	return &Server{
		models: models,
		usual:  behave(s),
		others: map[string]behaviour{},
		number: new(atomic.Uint64),
		kept:   new(archive),
		now:    time.Now,
		wait:   wait,
	}
}

// Offer adds a model that behaves otherwise than the server's others. It is called before the server is used.
func (s *Server) Offer(model string, b catalog.Simulate) { s.others[model] = behave(b) }

// RequireKey makes the server refuse callers without the key. It is called before the server is used.
func (s *Server) RequireKey(key string) { s.key = key }

// immediate returns the same server, but that it takes no time and asks for no key.
func (s *Server) immediate() *Server {
	inner := *s
	inner.key, inner.wait = "", func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return &inner
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f := s.stranger(r); f != nil {
		f.write(w)
		return
	}
	if r.URL.Path == chatPath && r.Method == http.MethodPost { // before the table: load tests measure it
		s.chat(w, r)
		return
	}
	var allow []string
	for _, rt := range routes {
		if !rt.matches(r) {
			continue
		}
		if rt.method == r.Method {
			rt.serve(s, w, r)
			return
		}
		allow = append(allow, rt.method)
	}
	if allow == nil {
		refuse(w, http.StatusNotFound, "Invalid URL ("+r.Method+" "+r.URL.Path+")", invalidRequest, "", "")
		return
	}
	slices.Sort(allow)
	w.Header().Set("Allow", strings.Join(allow, ", "))
	refuse(w, http.StatusMethodNotAllowed, "Not allowed to "+r.Method+" on "+r.URL.Path+".", invalidRequest, "",
		"method_not_supported")
}

// stranger returns the refusal of a caller without the server's key.
func (s *Server) stranger(r *http.Request) *fault {
	if s.key == "" || r.URL.Path == healthPath {
		return nil
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok || given == "":
		return &fault{http.StatusUnauthorized, "You didn't provide an API key. You need to provide your API key in an " +
			"Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).", "", ""}
	case subtle.ConstantTimeCompare([]byte(given), []byte(s.key)) == 0:
		return &fault{http.StatusUnauthorized, "Incorrect API key provided.", "", "invalid_api_key"}
	}
	return nil
}

// of returns how the model behaves, or the refusal of a model that the server does not have.
func (s *Server) of(model string) (behaviour, *fault) {
	if b, ok := s.others[model]; ok {
		return b, nil
	}
	if len(s.models) == 0 || slices.Contains(s.models, model) {
		return s.usual, nil
	}
	message := "The model `" + model + "` does not exist or you do not have access to it."
	return s.usual, &fault{http.StatusNotFound, message, "", "model_not_found"}
}

// turn is a call's place in the order of calls, and what is drawn by it.
type turn struct {
	number uint64
	took   time.Duration // from the call to the whole answer
}

// begin takes the next turn. It is refused at once, as a server sheds load, as often as the model is to fail.
func (s *Server) begin(b behaviour) (turn, *fault) {
	t := turn{number: s.number.Add(1)}
	d := newDraw(b.seed, t.number)
	if d.uniform() < b.share {
		return t, unavailable("The server is overloaded. Please try again later.", "overloaded")
	}
	t.took = b.latency.of(d.normal())
	return t, nil
}

// turn returns how a model behaves and the next turn, or a refusal.
func (s *Server) turn(model string) (behaviour, turn, *fault) {
	b, f := s.of(model)
	if f != nil {
		return b, turn{}, f
	}
	t, f := s.begin(b)
	return b, t, f
}

// take reads a request.
func take(r *http.Request, into any) *fault {
	buf := buffer()
	defer release(buf)
	if f := read(r, buf); f != nil {
		return f
	}
	return decode(buf.Bytes(), into)
}

// read reads the request's body into buf, with what is attached to it in few words (see shrink).
func read(r *http.Request, buf *bytes.Buffer) *fault {
	buf.Reset()
	if n := r.ContentLength; n > 0 && n <= smallBody {
		buf.Grow(int(n) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(io.LimitReader(r.Body, smallBody+1))
	if err == nil && buf.Len() > smallBody {
		begun := bytes.Clone(buf.Bytes())
		buf.Reset()
		err = shrink(buf, io.MultiReader(bytes.NewReader(begun), r.Body), longString)
	}
	switch {
	case err == errTooLarge: //nolint:errorlint // it comes from shrink as it is
		return &fault{http.StatusRequestEntityTooLarge, "The request is too large.", "", "request_too_large"}
	case err != nil:
		return bad("The request's body breaks off.", "", "")
	}
	return nil
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

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func buffer() *bytes.Buffer { return buffers.Get().(*bytes.Buffer) } //nolint:forcetypeassert // the pool holds nothing else

// release gives a buffer back, unless one large request made it worth forgetting.
func release(buf *bytes.Buffer) {
	if buf.Cap() <= 64<<10 {
		buffers.Put(buf)
	}
}
