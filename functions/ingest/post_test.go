package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/results"
)

const someID = "6f1c0a1e-8c3b-4d52-9a37-2f1f7c1f0b6e"

func TestARequestBecomesARequestedEvent(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	f := setup(t, func(c *ingest.Config) { c.Now = func() time.Time { return now } })
	body := `{ "request_id":"` + someID + `", "model_id":"small", "messages":[{"role":"user","content":[{"type":"text","text":"é"}]}],
		"parameters":{"temperature":2,"tools":[{"type":"function"}]},"callback_url":"https://hooks.example.com/done?a=%20b",
		"metadata":{"ticket":"7"}, "deadline_seconds": 1.5, "priority":"low" }`
	for _, path := range []string{"/v1/inferences", "/async-infer"} {
		a := f.do(t, http.MethodPost, path, body,
			"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Tracestate", "a=1,b=2")
		if a.status != http.StatusAccepted {
			t.Fatalf("status %d: %s", a.status, a)
		}
		r := a.receipt(t)
		if r.RequestID != someID || r.Status != "queued" || r.MessageID != events.MessageID("search", someID) {
			t.Errorf("receipt %+v", r)
		}
		if got := a.header.Get("Location"); got != "/v1/inferences/"+r.MessageID {
			t.Errorf("Location %q", got)
		}
		if path == "/async-infer" {
			continue // the same request again: the first has been stored
		}
		published := f.published(t)
		if len(published) != 1 {
			t.Fatalf("%d events", len(published))
		}
		e := published[0]
		if string(e.Data) != body {
			t.Errorf("data is not what was sent: %s", e.Data)
		}
		if e.Type != events.Requested || e.Subject != r.MessageID || e.Source != "/baton/ingest" || e.Tenant != "search" ||
			e.Model != "small" || e.Priority != events.Low || e.CallbackURL != "https://hooks.example.com/done?a=%20b" {
			t.Errorf("event %+v", e)
		}
		if !e.Accepted.Equal(now) || !e.Expiry.Equal(now.Add(1500*time.Millisecond)) {
			t.Errorf("accepted %v, expires %v", e.Accepted, e.Expiry)
		}
		if !strings.HasPrefix(e.TraceParent, "00-0af") || e.TraceState != "a=1,b=2" {
			t.Errorf("trace %q %q", e.TraceParent, e.TraceState)
		}
	}
}

func TestWhatARequestLeavesOutIsFilledIn(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f := setup(t, func(c *ingest.Config) {
		c.Now = func() time.Time { return now }
		c.NewID = func() string { return someID }
	})
	r := f.accepted(t, " \n"+good, "Traceparent", "00-0-0-01")
	e := f.published(t)[0]
	if want := " \n" + `{"request_id":"` + someID + `","model_id":"gpt-4-turbo","prompt":"Say hello."}`; string(e.Data) != want {
		t.Errorf("data %s, want %s", e.Data, want)
	}
	if r.RequestID != someID || e.Priority != events.High || !e.Expiry.Equal(now.Add(time.Hour)) || e.TraceParent != "" || e.CallbackURL != "" {
		t.Errorf("receipt %+v, event %+v", r, e)
	}
	other := f.accepted(t, good, "Authorization", "Bearer "+muteKey)
	if e := f.published(t)[0]; e.Priority != events.Normal || other.MessageID == r.MessageID {
		t.Errorf("another tenant's request: %+v", e)
	}
}

func TestAnEventOverTheTransportsLimitIsTooLarge(t *testing.T) {
	t.Parallel()
	f := setup(t, func(c *ingest.Config) { c.Publisher = membus.New(membus.Options{MaxData: 64}) })
	a := f.post(t, `{"model_id":"small","prompt":"`+strings.Repeat("x", 100)+`"}`)
	if a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %s", a)
	}
	a.problem(t)
}

// failingCells fails every operation that its field says.
type failingCells struct {
	results.Cells
	create, get atomic.Bool
}

func (c *failingCells) Create(ctx context.Context, key string, value []byte, expires time.Time) ([]byte, error) {
	if c.create.Load() {
		return nil, errors.New("store away")
	}
	return c.Cells.Create(ctx, key, value, expires)
}

func (c *failingCells) Get(ctx context.Context, key string) ([]byte, error) {
	if c.get.Load() {
		return nil, errors.New("store away")
	}
	return c.Cells.Get(ctx, key)
}

func TestWithoutItsStoreTheServerSays503(t *testing.T) {
	t.Parallel()
	cells := &failingCells{Cells: results.NewMemory()}
	f := setup(t, func(c *ingest.Config) { c.Results = results.New(cells) })
	body := `{"request_id":"` + someID + `","model_id":"small","prompt":"x"}`
	r := f.accepted(t, body)
	check := func(what string, a answer) {
		t.Helper()
		if a.status != 503 || a.header.Get("Retry-After") == "" || strings.Contains(string(a.body), "away") {
			t.Errorf("%s: %d %s", what, a.status, a)
		}
	}
	cells.get.Store(true)
	check("repeat", f.post(t, body))
	check("poll", f.do(t, http.MethodGet, "/v1/inferences/"+r.MessageID, ""))
	cells.get.Store(false)
	cells.create.Store(true)
	check("post", f.post(t, good))
	check("delete", f.do(t, http.MethodDelete, "/v1/inferences/"+r.MessageID, ""))
	if a := f.do(t, http.MethodGet, "/v1/inferences/"+uuid.NewString(), ""); a.status != 404 {
		t.Errorf("a request that is not there: %s", a)
	}
}

func TestPreferWait(t *testing.T) {
	t.Parallel()
	body := `{"request_id":"` + someID + `","model_id":"small","prompt":"x"}`
	id := events.MessageID("search", someID)

	t.Run("answers 200 with the result's own bytes when it is there in time", func(t *testing.T) {
		t.Parallel()
		var f *fixture
		var stored []byte
		f = setup(t, func(c *ingest.Config) {
			bus := c.Publisher
			c.Publisher = publisherFunc(func(ctx context.Context, out ...events.Event) error {
				stored = f.end(t, out[0].Subject, events.StatusCompleted)
				return bus.Publish(ctx, out...)
			})
		})
		a := f.post(t, body, "Prefer", "respond-async, wait=30")
		if a.status != 200 || !bytes.Equal(a.body, stored) || a.header.Get("Preference-Applied") != "wait=30" {
			t.Errorf("answered %d, %q: %s", a.status, a.header.Get("Preference-Applied"), a)
		}
	})
	t.Run("answers 200 when the result comes while it waits", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		answers := make(chan answer, 1)
		go func() { answers <- f.post(t, body, "Prefer", "wait=50") }()
		for len(f.published(t)) == 0 { // until the request was taken
			if t.Context().Err() != nil {
				t.Fatal("nothing was published")
			}
		}
		stored := f.end(t, id, events.StatusFailed)
		if a := <-answers; a.status != 200 || !bytes.Equal(a.body, stored) {
			t.Errorf("answered %d: %s", a.status, a)
		}
	})
	for prefer, applied := range map[string]string{
		"respond-async":          "respond-async",
		"wait=0":                 "",
		"wait=-1":                "",
		"wait=soon":              "",
		"wait":                   "",
		"wait=1.5":               "",
		"return=minimal":         "",
		"respond-async, wait=0":  "respond-async",
		`foo="wait=9, wait=9"`:   "",
		"wait=abc, wait=30":      "", // the first counts
		"=, ;;, \"":              "",
		"RESPOND-ASYNC; x=\"y\"": "respond-async",
	} {
		t.Run("answers 202 at once to "+prefer, func(t *testing.T) {
			t.Parallel()
			a := setup(t).post(t, body, "Prefer", prefer)
			if a.status != 202 || a.header.Get("Preference-Applied") != applied {
				t.Errorf("answered %d, applied %q, want %q", a.status, a.header.Get("Preference-Applied"), applied)
			}
		})
	}
	t.Run("answers 202 when the wait was in vain", func(t *testing.T) {
		t.Parallel()
		a := setup(t).post(t, body, "Prefer", "respond-async; a, wait=1")
		if a.status != 202 || a.header.Get("Preference-Applied") != "respond-async, wait=1" {
			t.Errorf("answered %d, applied %q", a.status, a.header.Get("Preference-Applied"))
		}
	})
}

func TestAPanicIsAProblemWithoutItsStack(t *testing.T) {
	t.Parallel()
	f := setup(t, func(c *ingest.Config) {
		c.Publisher = publisherFunc(func(context.Context, ...events.Event) error { panic("secret inside") })
	})
	a := f.post(t, good)
	if p := a.problem(t); a.status != 500 || p.Detail != "" || strings.Contains(string(a.body), "secret") {
		t.Errorf("answered %s", a)
	}
	if !strings.Contains(f.log.String(), "goroutine") {
		t.Errorf("no stack in the log: %s", f.log)
	}
}

func TestARequestThatTheChainCannotCarryIsNotLeftQueued(t *testing.T) {
	t.Parallel()
	f := setup(t, func(c *ingest.Config) {
		c.Publisher = publisherFunc(func(context.Context, ...events.Event) error { return hop.ErrTooLarge })
	})
	const id = "0f2d8c1e-8e1c-4a52-9a0c-0b6f6a7f5d11"
	if a := f.post(t, `{"request_id":"`+id+`","model_id":"small","prompt":"hello"}`); a.status != http.StatusRequestEntityTooLarge {
		t.Fatalf("answered %s", a)
	}
	a := f.do(t, http.MethodGet, "/v1/inferences/"+events.MessageID("search", id), "")
	if a.status != http.StatusOK || !strings.Contains(string(a.body), `"canceled"`) {
		t.Errorf("polled %s", a)
	}
}

func TestNothingOfACallersIsLogged(t *testing.T) {
	t.Parallel()
	f := setup(t, func(c *ingest.Config) {
		c.Publisher = publisherFunc(func(context.Context, ...events.Event) error { return hop.ErrTooLarge })
	})
	f.post(t, `{"model_id":"small","prompt":"PROMPT-OF-MINE","callback_url":"https://hooks.example.com/x?token=URL-TOKEN"}`)
	f.post(t, `{"model_id":"small","prompt":7,"callback_url":"https://u:URL-TOKEN@hooks.example.com/"}`)
	f.post(t, `{"model_id":"PROMPT-OF-MINE"`)
	f.do(t, http.MethodGet, "/v1/inferences/PROMPT-OF-MINE?key=URL-TOKEN", "")
	f.do(t, http.MethodGet, "/PROMPT-OF-MINE", "")
	logged := f.log.String()
	for _, secret := range []string{"PROMPT-OF-MINE", "URL-TOKEN", searchKey} {
		if strings.Contains(logged, secret) {
			t.Errorf("%s is in the log: %s", secret, logged)
		}
	}
	if n := strings.Count(logged, `"msg":"answered"`); n != 5 {
		t.Errorf("%d lines for 5 requests: %s", n, logged)
	}
}
