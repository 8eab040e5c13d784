package ingest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/natstest"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/tokens"
	"baton.dev/baton/internal/tokens/natstokens"
)

// sent is a server-sent event, or a comment.
type sent struct{ name, id, data, comment string }

// stream is an open one.
type stream struct {
	t      testing.TB
	answer *http.Response
	lines  *bufio.Reader
}

// open opens a stream, and reads its beginning.
func (f *fixture) open(t testing.TB, messageID string, header ...string) *stream {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+"/v1/inferences/"+messageID+"/stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+searchKey)
	req.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := f.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	s := &stream{t, res, bufio.NewReader(res.Body)}
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatalf("answered %d with %s", res.StatusCode, got)
	}
	if got := s.line(); got != "retry: 1000" || s.line() != "" {
		t.Fatalf("begins with %q", got)
	}
	return s
}

func (s *stream) line() string {
	s.t.Helper()
	line, err := s.lines.ReadString('\n')
	if err != nil {
		s.t.Fatalf("the stream breaks off after %q: %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// next returns the next event.
func (s *stream) next() sent {
	s.t.Helper()
	var e sent
	for line := s.line(); line != ""; line = s.line() {
		field, value, _ := strings.Cut(line, ": ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			if e.data != "" {
				s.t.Errorf("the data has several lines")
			}
			e.data = value
		case "":
			e.comment = value
		default:
			s.t.Errorf("field %q", field)
		}
	}
	return e
}

// expect reads events of the given names and ids, such as "status" and "delta@1.1.0", and returns the last.
func (s *stream) expect(want ...string) sent {
	s.t.Helper()
	var e sent
	for _, w := range want {
		e = s.next()
		if got := strings.TrimSuffix(e.name+"@"+e.id, "@"); got != w {
			s.t.Fatalf("event %q, %s, want %q", got, e.data, w)
		}
	}
	return e
}

// ends reads the end.
func (s *stream) ends() {
	s.t.Helper()
	if rest, err := io.ReadAll(s.lines); err != nil || len(rest) > 0 {
		s.t.Errorf("the stream goes on with %q, %v", rest, err)
	}
}

// natsRelay returns a relay over a connection of its own.
func natsRelay(t testing.TB, s *server.Server) tokens.Relay {
	t.Helper()
	nc := natstest.Connect(t, s)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return natstokens.New(t.Context(), nc, js, slog.New(slog.DiscardHandler))
}

// streaming is a server with a relay over NATS, and the model's end of the relay.
func streaming(t *testing.T, options ...option) (*fixture, tokens.Relay) {
	t.Helper()
	s := natstest.Start(t, false)
	relay := natsRelay(t, s)
	f := setup(t, append(options, func(c *ingest.Config) { c.Tokens = relay })...)
	return f, natsRelay(t, s)
}

func piece(attempt, n int, text string) tokens.Piece {
	content, _ := json.Marshal(text) //nolint:errchkjson // of a string
	return tokens.Piece{
		ID: tokens.ID{Attempt: attempt, Token: 9, N: n}, Text: text,
		Choices: json.RawMessage("[{\"index\":0,\n\"delta\":{\"content\":" + string(content) + "}}]"),
	}
}

func TestAStreamHasThePiecesAndEndsWithTheResult(t *testing.T) {
	t.Parallel()
	f, model := streaming(t)
	id := f.accepted(t, good).MessageID
	s := f.open(t, id)
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"} {
		if got := s.answer.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	queued := s.expect("status")
	if want := strings.TrimSpace(string(f.do(t, http.MethodGet, "/v1/inferences/"+id, "").body)); queued.data != want {
		t.Errorf("it stands at %s, polling says %s", queued.data, want)
	}
	model.Send(id, piece(1, 0, "Grüß\n"))
	if running := s.expect("status"); !strings.Contains(running.data, `"running"`) {
		t.Errorf("it stands at %s", running.data)
	}
	if d := s.expect("delta@1.9.0"); d.data != `{"text":"Grüß\n","choices":[{"index":0,"delta":{"content":"Grüß\n"}}]}` {
		t.Errorf("the piece is %s", d.data)
	}
	model.Send(id, piece(1, 1, "Gott"))
	s.expect("delta@1.9.1")
	result := f.end(t, id, events.StatusCompleted)
	if r := s.expect("result@result"); r.data != string(result) {
		t.Errorf("the result is %s, want %s", r.data, result)
	}
	s.ends()
}

func TestAStreamOutlastsTheTimeThatOtherAnswersHave(t *testing.T) {
	t.Parallel()
	relay, store := tokens.NewMemory(), results.New(results.NewMemory())
	cat := testCatalog()
	f := &fixture{store: store, Server: httptest.NewUnstartedServer(ingest.New(ingest.Config{
		Catalog: func() *catalog.Catalog { return cat }, Results: store, Tokens: relay,
	}))}
	f.Config.WriteTimeout = 200 * time.Millisecond
	f.Start()
	t.Cleanup(f.Close)
	id := events.MessageID("search", someID)
	accept(t, store, id)
	s := f.open(t, id)
	s.expect("status")
	<-time.After(400 * time.Millisecond) // what the server allows is over
	relay.Send(id, piece(1, 0, "x"))
	s.expect("status", "delta@1.9.0")
	end(t, store, id)
	s.expect("result@result")
	s.ends()
}

func TestALaterExecutionRestartsTheStream(t *testing.T) {
	t.Parallel()
	f, model := streaming(t)
	id := f.accepted(t, good).MessageID
	s := f.open(t, id)
	s.expect("status")
	model.Send(id, piece(1, 0, "a"))
	s.expect("status", "delta@1.9.0")
	model.Send(id, piece(2, 0, "b"))
	if r := s.expect("restart"); r.data != `{"attempt":2}` {
		t.Errorf("restarts with %s", r.data)
	}
	s.expect("delta@2.9.0")
	model.Send(id, piece(1, 1, "void"))
	model.Send(id, piece(2, 1, "c"))
	s.expect("delta@2.9.1")

	again := f.open(t, id, "Last-Event-ID", "1.9.0")
	again.expect("status", "status", "restart", "delta@2.9.0", "delta@2.9.1")
}

func TestAStreamGoesOnAfterTheLastEventThatItsCallerHad(t *testing.T) {
	t.Parallel()
	f, model := streaming(t)
	id := f.accepted(t, good).MessageID
	s := f.open(t, id)
	s.expect("status")
	for n := range 5 {
		model.Send(id, piece(1, n, "x"))
	}
	s.expect("status", "delta@1.9.0", "delta@1.9.1")
	_ = s.answer.Body.Close()

	again := f.open(t, id, "Last-Event-ID", "1.9.1")
	again.expect("status", "status", "delta@1.9.2", "delta@1.9.3", "delta@1.9.4")
	polyfill := f.open(t, id+"/stream?last_event_id=1.9.3&ignored=")
	polyfill.expect("status", "status", "delta@1.9.4")
	model.Send(id, piece(1, 5, "y"))
	again.expect("delta@1.9.5")

	result := f.end(t, id, events.StatusFailed)
	again.expect("result@result")
	late := f.open(t, id, "Last-Event-ID", "1.9.4")
	if r := late.expect("result@result"); r.data != string(result) {
		t.Errorf("the result is %s", r.data)
	}
	late.ends()
	a := f.do(t, http.MethodGet, "/v1/inferences/"+id+"/stream", "", "Last-Event-ID", "result")
	if a.status != http.StatusNoContent || len(a.body) != 0 {
		t.Errorf("a caller that had the result is told %d: %s", a.status, a)
	}
}

func TestAStreamIsRefusedAsAPollIs(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.accepted(t, good).MessageID
	path := "/v1/inferences/" + id + "/stream"
	for _, c := range []struct {
		what, method, path string
		header             []string
		status             int
		word               problem.Word
	}{
		{"another tenant's request", "GET", path, []string{"Authorization", "Bearer " + narrowKey}, 404, problem.NotFound},
		{"no key", "GET", path, []string{"Authorization", ""}, 401, problem.Unauthenticated},
		{"no such request", "GET", "/v1/inferences/" + someID + "/stream", nil, 404, problem.NotFound},
		{"no message id", "GET", "/v1/inferences/x/stream", nil, 404, problem.NotFound},
		{"an empty message id", "GET", "/v1/inferences//stream", nil, 404, problem.NotFound},
		{"another method", "POST", path, nil, 405, problem.MethodNotAllowed},
		{"JSON alone", "GET", path, []string{"Accept", "application/json"}, 406, problem.NotAcceptable},
		{"anything but events", "GET", path, []string{"Accept", "*/*, text/event-stream;q=0"}, 406, problem.NotAcceptable},
		{"an id that is none", "GET", path, []string{"Last-Event-ID", "1.2"}, 400, problem.Malformed},
		{"an id that is none, in the URL", "GET", path + "?last_event_id=-1.2.3", nil, 400, problem.Malformed},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			a := f.do(t, c.method, c.path, "", c.header...)
			if a.status != c.status || a.problem(t).Type != problem.TypePrefix+string(c.word) {
				t.Errorf("answered %d: %s", a.status, a)
			}
		})
	}
	for _, accept := range []string{"", "*/*", "text/*;q=0.1", "application/json, TEXT/Event-Stream ; q=0.5"} {
		a := f.do(t, http.MethodHead, path, "", "Accept", accept)
		if a.status != 200 || len(a.body) != 0 || a.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("HEAD with Accept %q is answered %d", accept, a.status)
		}
	}
}

func TestStreamsAtOnceAreBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what         string
		all, tenants int
		status       int
		word         problem.Word
	}{
		{"a tenant's", 9, 2, 429, problem.TooManyStreams},
		{"the process's", 2, 2, 503, problem.Unavailable},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			f := setup(t, func(cfg *ingest.Config) { cfg.Streams, cfg.TenantStreams = c.all, c.tenants })
			id := f.accepted(t, good).MessageID
			narrow := f.accepted(t, `{"model_id":"small","prompt":"x"}`, "Authorization", "Bearer "+narrowKey).MessageID
			path, key := "/v1/inferences/"+id+"/stream", searchKey
			first, second := f.open(t, id), f.open(t, id)
			if c.word == problem.Unavailable {
				path, key = "/v1/inferences/"+narrow+"/stream", narrowKey
			}
			a := f.do(t, http.MethodGet, path, "", "Authorization", "Bearer "+key)
			if a.status != c.status || a.header.Get("Retry-After") == "" || a.problem(t).Type != problem.TypePrefix+string(c.word) {
				t.Errorf("answered %d: %s", a.status, a)
			}
			if c.word == problem.TooManyStreams {
				f.open(t, narrow, "Authorization", "Bearer "+narrowKey) // another tenant's is not refused
			}
			f.end(t, id, events.StatusCompleted)
			first.expect("status", "result@result")
			second.expect("status", "result@result")
			first.ends()
			second.ends()
			f.open(t, id)
		})
	}
}

func TestFollowHasTheWholeAnswerBeforeTheStanding(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, false)
	model, store := natsRelay(t, s), results.New(results.NewMemory())
	followed := ingest.New(ingest.Config{Results: store, Tokens: natsRelay(t, s)})
	for range 20 {
		id := events.MessageID("search", strings.Repeat("x", int(time.Now().UnixNano()%1000)+1))
		var taken []tokens.Piece
		standing, err := followed.Follow(t.Context(), id, tokens.ID{}, func() {
			go func() { // the request is submitted, and runs
				accept(t, store, id)
				for n := range 100 {
					model.Send(id, piece(1, n, "x"))
				}
				end(t, store, id)
			}()
		}, func(p tokens.Piece) { taken = append(taken, p) })
		if err != nil || standing.Status() != events.StatusCompleted {
			t.Fatalf("stands at %s, %v", standing.Status(), err)
		}
		for n, p := range taken {
			if p.ID.N != n {
				t.Fatalf("piece %d is %s", n, p.ID)
			}
		}
	}
}

func accept(t *testing.T, store *results.Store, id string) {
	t.Helper()
	if _, err := store.Accept(context.Background(), id, results.Acceptance{Tenant: "search", AcceptedAt: time.Now()}); err != nil {
		t.Error(err)
	}
}

func end(t *testing.T, store *results.Store, id string) {
	t.Helper()
	ending := results.Ending{EventID: "e", Status: events.StatusCompleted, Body: []byte(`{}`)}
	if _, err := store.End(context.Background(), id, ending); err != nil {
		t.Error(err)
	}
}
