package infer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/results"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var accepted = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

const body = `{"request_id":"7d3f1a52-0c1e-4f5e-9a44-0f2f6b7f1c11","model_id":"gpt","prompt":"hello","metadata":{"z":"1","a":"<2>"}}`

// chain is what surrounds the function: a model server, a configuration with one target there, results, a clock, a log.
type chain struct {
	config  infer.Config
	catalog *catalog.Catalog
	target  *catalog.Target
	store   *results.Store
	now     func() time.Time
	log     *buffer
}

func setup(t testing.TB, server http.Handler) *chain {
	t.Helper()
	srv := httptest.NewUnstartedServer(server)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	client := model.NewOpenAI(model.OpenAIConfig{Key: func(catalog.Secret) (string, error) { return "sk-the-key", nil }})
	t.Cleanup(client.Close)

	c := &chain{
		target: &catalog.Target{Name: "main", API: catalog.OpenAI, URL: srv.URL + "/v1", Model: "real", Timeout: time.Hour},
		store:  results.New(results.NewMemory()).WithClock(func() time.Time { return accepted }),
		now:    func() time.Time { return accepted.Add(1500 * time.Millisecond) },
		log:    &buffer{},
	}
	c.catalog = &catalog.Catalog{Models: map[string]*catalog.Model{"gpt": {ID: "gpt", Targets: []*catalog.Target{c.target}}}}
	c.config = infer.Config{
		Catalog: func() *catalog.Catalog { return c.catalog },
		Models:  model.Clients{catalog.OpenAI: client},
		Results: c.store,
		Now:     func() time.Time { return c.now() },
		Log:     slog.New(slog.NewJSONHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	return c
}

func (c *chain) function() hop.Handler { return infer.New(c.config) }

// scheduled returns the event of an attempt, as schedule emits it.
func scheduled(t testing.TB, data string, attempt int) events.Event {
	t.Helper()
	var r events.Request
	_ = json.Unmarshal([]byte(data), &r)
	in := events.New("search", r, events.Normal, []byte(data), accepted, time.Time{}).
		Next(events.Schedule, events.Scheduled, attempt, accepted.Add(time.Second))
	in.Target = "main"
	return in
}

// one calls the function and wants exactly one event of the type.
func (c *chain) one(t testing.TB, in events.Event, typ events.Type) events.Event {
	t.Helper()
	out, err := c.function()(context.Background(), in)
	if err != nil || len(out) != 1 || out[0].Type != typ {
		t.Fatalf("got %d events %+v and error %v, want one %s", len(out), out, err, typ)
	}
	return out[0]
}

// answering is a model server that answers every call with a status and a body.
func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// never is a model server that must not be called.
func never(t *testing.T) http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) { t.Error("the model was called") }
}

// buffer is a log's destination.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
