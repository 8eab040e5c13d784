package simulation

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/results"
)

// door is the HTTP interface of one process after another. To make one costs more than all else in a world, since it
// compiles its schema, and it keeps nothing between requests: so it outlives processes and worlds.
type door struct {
	handler http.Handler

	mu sync.Mutex
	at *process
}

func newDoor() *door {
	d := &door{}
	d.handler = ingest.New(ingest.Config{
		Publisher: doorway{},
		Results:   results.New(doorway{}),
		Catalog:   func() *catalog.Catalog { return d.process().catalog.Load() },
		CacheKey: func(tenant string, m *catalog.Model, r events.Request) string {
			return answers.Key(tenant, m, answers.Stable, r)
		},
	})
	return d
}

func (d *door) process() *process {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

func (d *door) open(at *process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = at
}

// answer is what a door answers.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// ask sends a request to the process, and returns its answer, or nil if the process crashed before it came.
func (p *process) ask(method, path, tenant string, body []byte) *answer {
	w := p.world
	ctx := context.WithValue(w.ctx, doorway{}, p)
	req, err := http.NewRequestWithContext(ctx, method, path, bytes.NewReader(body))
	if err != nil {
		panic(err) // method and path are constants
	}
	req.Header.Set("Content-Type", events.JSON)
	req.Header.Set("Authorization", "Bearer key of "+tenant)
	a := &answer{header: http.Header{}}
	w.doors[p.index].handler.ServeHTTP(a, req)
	if w.queue.isGone(p) {
		return nil
	}
	return a
}

// doorway leads what a door does to the process that the request came to. It is also the key of that process in a context.
type doorway struct{}

func behind(ctx context.Context) *process {
	p, _ := ctx.Value(doorway{}).(*process)
	return p
}

// Publish implements [hop.Publisher].
func (doorway) Publish(ctx context.Context, out ...events.Event) error {
	return transport{behind(ctx)}.Publish(ctx, out...)
}

// Create implements [results.Cells].
func (doorway) Create(ctx context.Context, key string, value []byte, expires time.Time) ([]byte, error) {
	p := behind(ctx)
	return cells{p.world, p}.Create(ctx, key, value, expires)
}

// Get implements [results.Cells].
func (doorway) Get(ctx context.Context, key string) ([]byte, error) {
	p := behind(ctx)
	return cells{p.world, p}.Get(ctx, key)
}

// Watch implements [results.Cells].
func (doorway) Watch(ctx context.Context, key string) (<-chan struct{}, func(), error) {
	p := behind(ctx)
	return cells{p.world, p}.Watch(ctx, key)
}
