package ingest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/egress"
	"baton.dev/baton/internal/results"
)

// discard is a response writer that costs next to nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// BenchmarkPost measures one request from the handler's door to the 202: with the bus and cells in memory, and with neither,
// so that what is ingest's own can be told.
func BenchmarkPost(b *testing.B) {
	bodies := map[string]string{
		"prompt": `{"model_id":"gpt-4-turbo","prompt":"` + strings.Repeat("Say hello. ", 20) +
			`","parameters":{"temperature":0.7,"max_tokens":128},"callback_url":"https://hooks.example.com/done"}`,
		"messages": `{"model_id":"gpt-4-turbo","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"` +
			strings.Repeat("Say hello. ", 20) + `"}],"parameters":{"temperature":0.7},"metadata":{"ticket":"7"}}`,
		"16KiB": `{"model_id":"gpt-4-turbo","prompt":"` + strings.Repeat("Say hello. ", 1480) + `"}`,
	}
	nowhere := publisherFunc(func(context.Context, ...events.Event) error { return nil })
	for _, name := range []string{"prompt", "messages", "16KiB"} {
		b.Run(name+"/memory", func(b *testing.B) {
			benchmarkPost(b, bodies[name], ingest.Config{Publisher: membus.New(membus.Options{}), Results: results.New(results.NewMemory())})
		})
		b.Run(name+"/alone", func(b *testing.B) {
			benchmarkPost(b, bodies[name], ingest.Config{Publisher: nowhere, Results: results.New(emptyCells{})})
		})
	}
}

func benchmarkPost(b *testing.B, body string, cfg ingest.Config) {
	cat := testCatalog()
	cat.Limits.Body = 256 << 10
	cfg.Catalog, cfg.CheckCallback = func() *catalog.Catalog { return cat }, egress.Policy{}.CheckURL
	server := ingest.New(cfg)
	r := httptest.NewRequest(http.MethodPost, "/v1/inferences", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+searchKey)
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = int64(len(body))
	from := strings.NewReader(body)
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		from.Reset(body)
		r.Body = readCloser{from}
		clear(w.header)
		server.ServeHTTP(w, r)
		if w.status != http.StatusAccepted {
			b.Fatalf("status %d", w.status)
		}
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// emptyCells accept everything and keep nothing.
type emptyCells struct{ results.Cells }

func (emptyCells) Create(context.Context, string, []byte, time.Time) ([]byte, error) { return nil, nil }
