package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/results"
)

func TestTheSameRequestAgainIsTheSameMessageStoredOnce(t *testing.T) {
	t.Parallel()
	body := `{"request_id":"` + someID + `","model_id":"small","prompt":"x"}`
	for _, c := range []struct {
		name          string
		first, second []string // body, then headers
	}{
		{"by request_id", []string{body}, []string{body}},
		{"laid out otherwise", []string{body}, []string{strings.ReplaceAll(body, ",", " ,\n ")}},
		{"by Idempotency-Key", []string{good, "Idempotency-Key", "k1"}, []string{good, "Idempotency-Key", "k1"}},
		{"by Idempotency-Key, bare and quoted", []string{good, "Idempotency-Key", "k1"}, []string{good, "Idempotency-Key", `"k1"`}},
		{"by request_id whatever the key", []string{body, "Idempotency-Key", "k1"}, []string{body, "Idempotency-Key", "k2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			first, second := f.post(t, c.first[0], c.first[1:]...), f.post(t, c.second[0], c.second[1:]...)
			if first.status != 202 || second.status != 202 || !bytes.Equal(first.body, second.body) {
				t.Errorf("first %s, second %s", first, second)
			}
			if n := len(f.published(t)); n != 1 {
				t.Errorf("%d events", n)
			}
		})
	}
}

func TestAnIDInUpperCaseIsTheSameID(t *testing.T) {
	t.Parallel()
	f := setup(t)
	lower := f.accepted(t, `{"request_id":"`+someID+`","model_id":"small","prompt":"x"}`)
	a := f.post(t, `{"request_id":"`+strings.ToUpper(someID)+`","model_id":"small","prompt":"y"}`)
	if a.status != http.StatusUnprocessableEntity {
		t.Errorf("%s was accepted beside %+v", a, lower)
	}
}

func TestTheSameIDWithAnotherBodyIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.accepted(t, `{"request_id":"`+someID+`","model_id":"small","prompt":"x"}`)
	a := f.post(t, `{"request_id":"`+someID+`","model_id":"small","prompt":"y"}`)
	p := a.problem(t)
	if a.status != 422 || !strings.HasSuffix(p.Type, "/id-reused") || len(p.Errors) != 1 || p.Errors[0].Pointer != "/request_id" {
		t.Errorf("answered %s", a)
	}
	f.accepted(t, good, "Idempotency-Key", "k")
	a = f.post(t, `{"model_id":"small","prompt":"y"}`, "Idempotency-Key", "k")
	if p := a.problem(t); a.status != 422 || len(p.Errors) != 0 || !strings.Contains(p.Detail, "Idempotency-Key") {
		t.Errorf("answered %s", a)
	}
	other := f.post(t, `{"request_id":"`+someID+`","model_id":"small","prompt":"y"}`, "Authorization", "Bearer "+narrowKey)
	if other.status != 202 {
		t.Errorf("another tenant's id is its own, but got %s", other)
	}
}

func TestSixteenAtOncePublishOneEvent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	body := `{"request_id":"` + someID + `","model_id":"small","prompt":"x"}`
	answers := make(chan answer, 16)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { answers <- f.post(t, body) })
	}
	wg.Wait()
	close(answers)
	for a := range answers {
		if a.status != 202 || a.receipt(t).MessageID != events.MessageID("search", someID) {
			t.Errorf("answered %s", a)
		}
	}
	if n := len(f.published(t)); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestARepeatAfterACrashBeforePublishingPublishes(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	f := setup(t, func(c *ingest.Config) {
		bus := c.Publisher
		c.Publisher = publisherFunc(func(ctx context.Context, out ...events.Event) error {
			if broken.Load() {
				return errors.New("broker away")
			}
			return bus.Publish(ctx, out...)
		})
	})
	body := `{"request_id":"` + someID + `","model_id":"small","prompt":"x"}`
	a := f.post(t, body)
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Fatalf("answered %s, %v", a, a.header)
	}
	a.problem(t)
	if strings.Contains(string(a.body), "broker away") {
		t.Errorf("the inside is shown: %s", a)
	}
	broken.Store(false)
	f.accepted(t, body)
	if n := len(f.published(t)); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestARepeatIsNotPublishedOnceTheRunBegan(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]func(t *testing.T, f *fixture, id string){
		"begun": func(t *testing.T, f *fixture, id string) {
			if _, err := f.store.Begin(t.Context(), id, results.Beginning{At: time.Now()}); err != nil {
				t.Fatal(err)
			}
		},
		"canceled": func(t *testing.T, f *fixture, id string) {
			if a := f.do(t, http.MethodDelete, "/v1/inferences/"+id, ""); a.status != 200 {
				t.Fatal(a)
			}
		},
		"ended": func(t *testing.T, f *fixture, id string) { f.end(t, id, events.StatusFailed) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			f := setup(t, func(c *ingest.Config) {
				bus := c.Publisher
				c.Publisher = publisherFunc(func(ctx context.Context, out ...events.Event) error {
					calls.Add(1)
					return bus.Publish(ctx, out...)
				})
			})
			body := `{"request_id":"` + someID + `","model_id":"small","prompt":"x"}`
			first := f.accepted(t, body)
			step(t, f, first.MessageID)
			if second := f.accepted(t, body); second != first {
				t.Errorf("first %+v, second %+v", first, second)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("published %d times", n)
			}
		})
	}
}

func TestTheDeadlineCountsFromTheFirstAcceptance(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	start := now
	advance := func(d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() }
	var published []events.Event
	f := setup(t, func(c *ingest.Config) {
		c.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
		c.Publisher = publisherFunc(func(_ context.Context, out ...events.Event) error {
			published = append(published, out[0])
			return nil
		})
	})
	body := `{"request_id":"` + someID + `","model_id":"small","prompt":"x","deadline_seconds":60}`
	f.accepted(t, body)
	advance(30 * time.Second)
	f.accepted(t, body)
	advance(time.Hour)
	f.accepted(t, body)
	want := []time.Time{start.Add(time.Minute), start.Add(time.Minute), start.Add(time.Hour + 90*time.Second)}
	for i, w := range want {
		e := published[i]
		if !e.Expiry.Equal(w) {
			t.Errorf("publication %d expires %v, want %v", i, e.Expiry, w)
		}
		if !e.Accepted.Equal(start) || i > 0 && e.Run == published[i-1].Run {
			t.Errorf("publication %d was accepted %v, its run is %s", i, e.Accepted, e.Run)
		}
	}
}
