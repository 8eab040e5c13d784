package ingest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/results"
)

func TestADrainAnswersWhoWaits(t *testing.T) {
	t.Parallel()
	id := events.MessageID("search", someID)
	body := `{"request_id":"` + someID + `","model_id":"small","prompt":"x"}`
	post := func() *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/v1/inferences", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Prefer", "wait=50")
		return r
	}
	poll := func() *http.Request {
		return httptest.NewRequest(http.MethodGet, "/v1/inferences/"+id+"?wait=50", http.NoBody)
	}
	for _, c := range []struct {
		name    string
		request func() *http.Request
		begun   bool
		code    int
		status  events.Status
	}{
		{"a poll of what is queued, with its standing", poll, false, http.StatusOK, events.StatusQueued},
		{"a poll of what runs, with its standing", poll, true, http.StatusOK, events.StatusRunning},
		{"a post, with its receipt", post, false, http.StatusAccepted, events.StatusQueued},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				drain, begin := context.WithCancel(t.Context())
				cat := testCatalog()
				store := results.New(results.NewMemory())
				server := ingest.New(ingest.Config{
					Catalog: func() *catalog.Catalog { return cat }, Publisher: membus.New(membus.Options{}), Results: store, Drain: drain,
				})
				accepted := results.Acceptance{Tenant: "search", RequestID: someID, Model: "small", AcceptedAt: time.Now()}
				if c.code == http.StatusOK {
					if _, err := store.Accept(t.Context(), id, accepted); err != nil {
						t.Fatal(err)
					}
				}
				if c.begun {
					if _, err := store.Begin(t.Context(), id, results.Beginning{At: time.Now()}); err != nil {
						t.Fatal(err)
					}
				}
				answers := make(chan answer, 1)
				serve := func() {
					r, w := c.request(), httptest.NewRecorder()
					r.Header.Set("Authorization", "Bearer "+searchKey)
					server.ServeHTTP(w, r)
					answers <- answer{w.Code, w.Header(), w.Body.Bytes()}
				}
				expect := func(when string) {
					t.Helper()
					began := time.Now()
					a := <-answers
					if a.status != c.code || a.receipt(t).Status != c.status {
						t.Errorf("%s: answered %d: %s", when, a.status, a)
					}
					if took := time.Since(began); took != 0 {
						t.Errorf("%s: answered after %v", when, took)
					}
				}
				go serve()
				synctest.Wait()
				select {
				case a := <-answers:
					t.Fatalf("did not wait: %s", a)
				default:
				}
				begin()
				expect("when the drain begins")
				go serve()
				expect("while it drains")
			})
		})
	}
}
