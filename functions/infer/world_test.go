package infer_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/results"
)

// modelIn is a model in the memory of the test, for virtual time.
type modelIn func(ctx context.Context, call model.Call) (model.Answer, error)

func (m modelIn) Call(ctx context.Context, call model.Call) (model.Answer, error) {
	return m(ctx, call)
}

// says answers after d.
func says(text string, d time.Duration, calls *atomic.Int32) modelIn {
	return func(ctx context.Context, _ model.Call) (model.Answer, error) {
		calls.Add(1)
		select {
		case <-time.After(d):
			message, err := json.Marshal(map[string]string{"role": "assistant", "content": text})
			return model.Answer{
				Message: message, Output: text, FinishReason: "stop",
				Usage: &events.Usage{PromptTokens: 10, CompletionTokens: 5, TotalTokens: 15},
			}, err
		case <-ctx.Done():
			return model.Answer{}, ctx.Err()
		}
	}
}

// fails is a model whose calls come to nothing.
func fails(code string, calls *atomic.Int32) modelIn {
	return func(context.Context, model.Call) (model.Answer, error) {
		calls.Add(1)
		return model.Answer{}, model.NewError(code, nil)
	}
}

// world is what several workers of the function share.
type world struct {
	t       *testing.T
	config  infer.Config
	catalog *catalog.Catalog
	target  *catalog.Target
	tenant  *catalog.Tenant
	calls   atomic.Int32
}

func newWorld(t *testing.T) *world {
	w := &world{
		t:      t,
		target: &catalog.Target{Name: "main", API: catalog.OpenAI, Timeout: time.Minute, Concurrency: 2, Price: catalog.Price{Input: 1000, Output: 2000}, MaxTokens: 100},
		tenant: &catalog.Tenant{Name: "search"},
	}
	w.catalog = &catalog.Catalog{
		Models:  map[string]*catalog.Model{"gpt": {ID: "gpt", Cache: time.Hour, Targets: []*catalog.Target{w.target}}},
		Tenants: map[string]*catalog.Tenant{"search": w.tenant},
	}
	w.config = infer.Config{
		Catalog: func() *catalog.Catalog { return w.catalog },
		Models:  says("yes", time.Second, &w.calls),
		Results: results.New(results.NewMemory()),
		Log:     slog.New(slog.DiscardHandler),
	}
	return w
}

// leases makes the workers of the world share leases of ten seconds.
func (w *world) leases(store lease.Store) {
	l, err := lease.New(lease.Config{Store: store, TTL: 10 * time.Second})
	if err != nil {
		w.t.Fatal(err)
	}
	w.config.Leases = l
}

func (w *world) scheduled() events.Event {
	var r events.Request
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		w.t.Fatal(err)
	}
	in := events.New("search", r, events.Normal, []byte(body), time.Now(), time.Now().Add(time.Hour)).
		Next(events.Schedule, events.Scheduled, 1, time.Now())
	in.Target = "main"
	return in
}

// outcome returns what the worker says about the event.
func outcomeOf(ctx context.Context, h hop.Handler, in events.Event) hop.Outcome {
	_, err := h(ctx, in)
	return hop.Limits{}.Classify(in, err)
}

func (w *world) one(h hop.Handler, in events.Event) events.Event {
	w.t.Helper()
	out, err := h(w.t.Context(), in)
	if err != nil || len(out) != 1 {
		w.t.Fatalf("emitted %d events, %v, want one", len(out), err)
	}
	return out[0]
}
