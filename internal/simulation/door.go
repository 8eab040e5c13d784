package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/admission"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/shared"
	"baton.dev/baton/internal/tally"
)

// door is the HTTP interface of one process after another, wired as in production. To make one costs more than all else in a
// world, since it compiles its schema, so it outlives processes and worlds; what it is to keep between requests, it has the
// process keep that a request came to.
type door struct {
	handler http.Handler
	queues  *admission.Gate

	mu sync.Mutex
	at *process
}

func newDoor() *door {
	d := &door{}
	d.queues = admission.New(admission.Config{Depths: d.depths, Health: d})
	d.handler = chain.Config{
		Bus: doorway{}, Results: results.New(doorway{}), Catalog: func() *catalog.Catalog { return d.process().catalog.Load() },
		Log: slog.New(slog.DiscardHandler),
		Shared: &shared.State{
			Limits: limit.New(limit.Config{Store: itsLimits{}}), Tally: tally.New(tally.Config{Store: itsTally{}}),
			Queues: d.queues, Ledger: itsLedger{},
		},
	}.Ingest()
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

// depths is what waited in the lanes when the process looked last.
func (d *door) depths(context.Context) (map[events.Lane]int, error) {
	if waits := d.process().waits.Load(); waits != nil {
		return *waits, nil
	}
	return map[events.Lane]int{}, nil
}

// Status implements [admission.Health].
func (d *door) Status(target string) health.Status { return d.process().state.Health.Status(target) }

// answer is what a door answers.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// problem returns the word of the problem that the answer is, or "".
func (a *answer) problem() problem.Word {
	var p problem.Problem
	if a.header.Get("Content-Type") != problem.ContentType || json.Unmarshal(a.body.Bytes(), &p) != nil {
		return ""
	}
	return problem.Word(strings.TrimPrefix(p.Type, problem.TypePrefix))
}

// visit is one request at a door.
type visit struct {
	to     *process
	began  time.Time
	wrote  bool // something of the request may be stored
	faulty bool // a step of it failed, or its answer was lost
}

// visited is the key of the visit in the context of all that is done for it.
type visited struct{}

// visitOf returns the visit that something is done for, or nil.
func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visited{}).(*visit)
	return v
}

// ask sends a request to the process, and returns its answer, or nil if the process crashed before it came.
func (p *process) ask(method, path, tenant string, body []byte, v *visit) *answer {
	w := p.world
	v.to, v.began = p, time.Now()
	req, err := http.NewRequestWithContext(context.WithValue(w.ctx, visited{}, v), method, path, bytes.NewReader(body))
	if err != nil {
		panic(err) // method and path are constants
	}
	req.Header.Set("Content-Type", events.JSON)
	req.Header.Set("Authorization", "Bearer key of "+tenant)
	a := &answer{header: http.Header{}}
	d := w.doors[p.index]
	if err := d.queues.Look(w.ctx); err != nil {
		panic(err) // it has nothing that fails
	}
	d.handler.ServeHTTP(a, req)
	if w.queue.isGone(p) {
		return nil
	}
	return a
}
