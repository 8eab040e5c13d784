package ingest_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/results"
)

// TestCancelsAndRunsAtOnceAgree lets many cancels and runs of one request go at the same time: whoever is first decides, and
// every other is told so.
func TestCancelsAndRunsAtOnceAgree(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for range 50 {
		r := f.accepted(t, good)
		var said sync.Map // who said what
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range 8 {
			all.Go(func() {
				<-start
				a := f.do(t, http.MethodDelete, "/v1/inferences/"+r.MessageID, "")
				if a.status != http.StatusOK {
					t.Errorf("answered %s", a)
				}
				said.Store("cancel "+strconv.Itoa(i), a.receipt(t).Status)
			})
			all.Go(func() {
				<-start
				for range i { // for as long as a cancel takes to come
					f.do(t, http.MethodGet, "/healthz", "")
				}
				stood, err := f.store.Begin(t.Context(), r.MessageID, results.Beginning{Run: strconv.Itoa(i), At: time.Now()})
				if err != nil {
					t.Error(err)
				}
				status := events.StatusRunning
				if stood.Canceled {
					status = events.StatusCanceled
				}
				said.Store("run "+strconv.Itoa(i)+" sees "+stood.Run, status)
			})
		}
		close(start)
		all.Wait()
		standing, err := f.store.Look(t.Context(), r.MessageID)
		if err != nil {
			t.Fatal(err)
		}
		want := standing.Status()
		said.Range(func(who, status any) bool {
			if status != want {
				t.Errorf("%s says %s, but it is %s", who, status, want)
			}
			return true
		})
		if a := f.do(t, http.MethodGet, "/v1/inferences/"+r.MessageID, ""); a.receipt(t).Status != want {
			t.Errorf("polling says %s, want %s", a, want)
		}
	}
}

// overtaken are cells in which something happens just before a beginning is written.
type overtaken struct {
	results.Cells

	before func(messageID string)
}

func (c *overtaken) Create(ctx context.Context, key string, value []byte, expires time.Time) ([]byte, error) {
	if id, ok := strings.CutSuffix(key, ".begun"); ok {
		c.before(id)
	}
	return c.Cells.Create(ctx, key, value, expires)
}

func TestACancelThatIsOvertakenSaysByWhat(t *testing.T) {
	t.Parallel()
	for by, want := range map[string]events.Status{"a run": events.StatusRunning, "a cancel": events.StatusCanceled} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			cells := results.NewMemory()
			other := results.New(cells)
			f := setup(t, func(c *ingest.Config) {
				c.Results = results.New(&overtaken{cells, func(id string) {
					b := results.Beginning{Canceled: want == events.StatusCanceled, Run: "r", At: time.Now()}
					if _, err := other.Begin(context.Background(), id, b); err != nil {
						t.Error(err)
					}
				}})
			})
			r := f.accepted(t, good)
			a := f.do(t, http.MethodDelete, "/v1/inferences/"+r.MessageID, "")
			if got := a.receipt(t).Status; a.status != http.StatusOK || got != want {
				t.Errorf("answered %s, want %s", a, want)
			}
		})
	}
}
