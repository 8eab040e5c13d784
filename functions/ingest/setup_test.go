package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/egress"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Keys of the tenants of the test catalog.
const (
	searchKey = "baton_search_key" // any model, any callback host, priority high
	narrowKey = "baton_narrow_key" // model small alone, callbacks to hooks.example.com alone
	muteKey   = "baton_mute_key"   // no secret, so no callbacks
)

func testCatalog() *catalog.Catalog {
	tenant := func(name, key string) *catalog.Tenant {
		return &catalog.Tenant{
			Name: name, Keys: []string{strings.TrimPrefix(catalog.HashKey(key), "sha256:")},
			Models: []string{catalog.AnyModel}, Secrets: []catalog.Secret{"env:WHSEC"},
		}
	}
	search, narrow, mute := tenant("search", searchKey), tenant("narrow", narrowKey), tenant("mute", muteKey)
	search.Priority = events.High
	narrow.Models, narrow.CallbackHosts = []string{"small"}, []string{"hooks.example.com", "*.below.example.com"}
	mute.Secrets = nil
	return &catalog.Catalog{
		Models: map[string]*catalog.Model{"gpt-4-turbo": {ID: "gpt-4-turbo"}, "small": {ID: "small"}},
		Limits: catalog.Limits{Body: 16 << 10, Deadline: time.Hour},
		Tenants: map[string]*catalog.Tenant{
			"search": search, "narrow": narrow, "mute": mute,
		},
	}
}

// writeTimeout is the server's, far below what callers wait: whoever answers late has to put it off.
const writeTimeout = 50 * time.Millisecond

// fixture is a server over real parts in memory.
type fixture struct {
	*httptest.Server
	bus   *membus.Bus
	store *results.Store
	log   *lockedBuffer
}

type option func(*ingest.Config)

func setup(t *testing.T, options ...option) *fixture {
	t.Helper()
	f := &fixture{bus: membus.New(membus.Options{}), store: results.New(results.NewMemory()), log: &lockedBuffer{}}
	cat := testCatalog()
	cfg := ingest.Config{
		Catalog: func() *catalog.Catalog { return cat }, Publisher: f.bus, Results: f.store,
		CheckCallback: egress.Policy{}.CheckURL,
		Log:           slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, o := range options {
		o(&cfg)
	}
	if cfg.Now != nil { // one clock for all parts
		cfg.Results = cfg.Results.WithClock(cfg.Now)
		f.store = cfg.Results
	}
	f.Server = httptest.NewUnstartedServer(ingest.New(cfg))
	f.Config.WriteTimeout = writeTimeout
	f.Start()
	t.Cleanup(f.Close)
	return f
}

// published takes every event that waits for schedule off the bus, most urgent first.
func (f *fixture) published(t *testing.T) []events.Event {
	t.Helper()
	done, cancel := context.WithCancel(context.Background())
	cancel() // Receive hands out what is there and does not wait for more
	var all []events.Event
	for _, p := range events.Priorities() {
		err := f.bus.Receive(done, events.Lane{Hop: events.Schedule, Priority: p}, 1000, func(d hop.Delivery) {
			all = append(all, d.Event)
			if err := d.Ack(context.Background()); err != nil {
				t.Errorf("ack: %v", err)
			}
		})
		if err != nil {
			t.Fatalf("receive: %v", err)
		}
	}
	return all
}

// answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) String() string { return http.StatusText(a.status) + " " + string(a.body) }

func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("answer %s: %v", a, err)
	}
}

// receipt is the body of a 202, and the beginning of every other answer about a request.
type receipt struct {
	MessageID string        `json:"message_id"`
	RequestID string        `json:"request_id"`
	Status    events.Status `json:"status"`
	ModelID   string        `json:"model_id"`
}

func (a answer) receipt(t *testing.T) receipt {
	t.Helper()
	var r receipt
	a.decode(t, &r)
	return r
}

func (a answer) problem(t *testing.T) problem.Problem {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != problem.ContentType {
		t.Fatalf("content type %q of %s", got, a)
	}
	var p problem.Problem
	a.decode(t, &p)
	if p.Status != a.status || p.Title == "" || !strings.HasPrefix(p.Type, problem.TypePrefix) {
		t.Fatalf("problem does not fit its status %d: %+v", a.status, p)
	}
	return p
}

// do sends a request with search's key and a JSON body, unless header says otherwise; an empty value leaves the header out.
func (f *fixture) do(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+searchKey)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Del(header[i])
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] != "" {
			req.Header.Add(header[i], header[i+1])
		}
	}
	res, err := f.Client().Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{res.StatusCode, res.Header, got}
}

func (f *fixture) post(t *testing.T, body string, header ...string) answer {
	t.Helper()
	return f.do(t, http.MethodPost, "/v1/inferences", body, header...)
}

// accepted posts and expects the 202.
func (f *fixture) accepted(t *testing.T, body string, header ...string) receipt {
	t.Helper()
	a := f.post(t, body, header...)
	if a.status != http.StatusAccepted {
		t.Fatalf("status %d: %s", a.status, a)
	}
	return a.receipt(t)
}

// end writes a result as the callback hop does, and returns its bytes.
func (f *fixture) end(t *testing.T, messageID string, status events.Status) []byte {
	t.Helper()
	body := []byte(`{"message_id":"` + messageID + `","status":"` + string(status) + `","output":"Hello é."}`)
	_, err := f.store.End(t.Context(), messageID, results.Ending{EventID: "e", Status: status, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// publisherFunc decorates the real publisher.
type publisherFunc func(ctx context.Context, out ...events.Event) error

func (f publisherFunc) Publish(ctx context.Context, out ...events.Event) error { return f(ctx, out...) }

// lockedBuffer is a buffer that a logger may write to while a test reads it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
