package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/results"
)

func Example() {
	config := &catalog.Catalog{
		Models:  map[string]*catalog.Model{"small": {ID: "small"}},
		Tenants: map[string]*catalog.Tenant{"me": {Name: "me", Models: []string{"*"}, Keys: []string{strings.TrimPrefix(catalog.HashKey("my-key"), "sha256:")}}},
	}
	bus := membus.New(membus.Options{})
	server := ingest.New(ingest.Config{
		Catalog:   func() *catalog.Catalog { return config },
		Publisher: bus,
		Results:   results.New(results.NewMemory()),
	})

	r := httptest.NewRequest(http.MethodPost, "/v1/inferences",
		strings.NewReader(`{"request_id":"6f1c0a1e-8c3b-4d52-9a37-2f1f7c1f0b6e","model_id":"small","prompt":"Say hello."}`))
	r.Header.Set("Authorization", "Bearer my-key")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)

	lane := events.Lane{Hop: events.Schedule, Priority: events.Normal}
	_ = bus.Receive(context.Background(), lane, 1, func(d hop.Delivery) {
		fmt.Println(d.Event.Type, d.Event.Model)
	})
	// Output:
	// 202 {"message_id":"0ebf5f0d-6741-566e-80ff-a8b371b09be3","request_id":"6f1c0a1e-8c3b-4d52-9a37-2f1f7c1f0b6e","status":"queued"}
	// dev.baton.inference.requested.v1 small
}
