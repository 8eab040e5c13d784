package ingest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/results"
)

// door is a server that is reached without HTTP.
type taking struct {
	*ingest.Server
	*fixture
	tenant *catalog.Tenant
}

func openTaking(t *testing.T, options ...option) taking {
	t.Helper()
	d := taking{fixture: &fixture{bus: membus.New(membus.Options{}), store: results.New(results.NewMemory()), log: &lockedBuffer{}}}
	cat := testCatalog()
	d.tenant = cat.Tenants["search"]
	cfg := ingest.Config{Catalog: func() *catalog.Catalog { return cat }, Publisher: d.bus, Results: d.store}
	for _, o := range options {
		o(&cfg)
	}
	d.Server = ingest.New(cfg)
	return d
}

// arrivals is the same request in each way that it can arrive.
func arrivals() map[string]ingest.Arrival {
	attributes := map[string]string{
		"specversion": "1.0", "id": "order-7", "source": "/shop", "type": string(events.Requested), "priority": "low", "shoporder": "é 7",
	}
	structured := event("order-7", small)
	return map[string]ingest.Arrival{
		"a request":                              {ID: "1", Data: []byte(small)},
		"a request with its content type":        {ID: "1", ContentType: "application/json; charset=utf-8", Data: []byte(small)},
		"an event in binary mode":                {ID: "1", Attributes: attributes, Data: []byte(small)},
		"an event in structured mode":            {ID: "1", ContentType: "application/cloudevents+json", Data: []byte(structured)},
		"an event in structured mode, untyped":   {ID: "1", Data: []byte(structured)},
		"an event in structured mode, as JSON":   {ID: "1", ContentType: "application/json", Data: []byte(structured)},
		"an event with its content type charset": {ID: "1", ContentType: "application/cloudevents+json; charset=UTF-8", Data: []byte(structured)},
	}
}

func TestAMessageIsOneRequestHoweverOftenItComes(t *testing.T) {
	t.Parallel()
	for name, a := range arrivals() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openTaking(t)
			first, p := d.TakeEvent(t.Context(), d.tenant, a)
			if p != nil {
				t.Fatalf("%+v", p)
			}
			again, p := d.TakeEvent(t.Context(), d.tenant, a)
			if p != nil || again != first {
				t.Errorf("again: %v, %+v, want %v", again, p, first)
			}
			published := d.published(t)
			if len(published) != 1 || published[0].Subject != first.MessageID || published[0].Tenant != "search" || published[0].Model != "small" {
				t.Fatalf("published %v", published)
			}
			if a.Attributes != nil && (published[0].Priority != events.Low || published[0].Extra["shoporder"] != "é 7") {
				t.Errorf("published %+v", published[0])
			}
			if name == "a request" {
				a.ID = "2"
				if other, p := d.TakeEvent(t.Context(), d.tenant, a); p != nil || other == first {
					t.Errorf("another message is the same request: %v, %+v", other, p)
				}
			}
		})
	}
}

func TestAMessageIsCheckedAtTheSameDoor(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		a       ingest.Arrival
		status  int
		mention string
	}{
		{"nothing", ingest.Arrival{}, 400, "empty"},
		{"no JSON", ingest.Arrival{Data: []byte(`{"specversion"`)}, 400, "too early"},
		{"a bad request", ingest.Arrival{Data: []byte(`{"model_id":"none","prompt":"p"}`)}, 422, "/model_id"},
		{"a bad event", ingest.Arrival{Data: []byte(`{"specversion":"0.3","data":{}}`)}, 422, "/specversion"},
		{"a bad attribute", ingest.Arrival{Attributes: map[string]string{"specversion": "1.0"}, Data: []byte(small)}, 422, "ce-id"},
		{"a batch", ingest.Arrival{ContentType: "application/cloudevents-batch+json", Data: []byte("[]")}, 415, "batch"},
		{"another content type", ingest.Arrival{ContentType: "text/plain", Data: []byte(small)}, 415, "text/plain"},
		{"no content type", ingest.Arrival{ContentType: ";;", Data: []byte(small)}, 415, "cannot be read"},
		{"another charset", ingest.Arrival{ContentType: "application/json; charset=latin1", Data: []byte(small)}, 415, "latin1"},
		{"too large", ingest.Arrival{Data: []byte(strings.Repeat(" ", 17<<10) + small)}, 413, "limit"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := openTaking(t)
			_, p := d.TakeEvent(t.Context(), d.tenant, tc.a)
			if p == nil || p.Status != tc.status {
				t.Fatalf("%+v, want %d", p, tc.status)
			}
			if text, _ := json.Marshal(p); !strings.Contains(string(text), tc.mention) {
				t.Errorf("%s does not mention %s", text, tc.mention)
			}
			if len(d.published(t)) != 0 {
				t.Error("published")
			}
		})
	}
}

func TestAMessageIsHeldAgainstTheRate(t *testing.T) {
	t.Parallel()
	d := openTaking(t, func(cfg *ingest.Config) { cfg.Limit = limit.New(limit.Config{}) })
	d.tenant.Rate, d.tenant.Burst = 0.01, 1
	for n, want := range []int{0, http.StatusTooManyRequests} {
		_, p := d.TakeEvent(t.Context(), d.tenant, ingest.Arrival{ID: strconv.Itoa(n), Data: []byte(small)})
		if (p != nil) != (want != 0) || p != nil && (p.Status != want || p.Header.Get("Retry-After") == "") {
			t.Errorf("message %d: %+v", n, p)
		}
	}
}

func TestAPanicAtTheDoorIsAProblem(t *testing.T) {
	t.Parallel()
	d := openTaking(t, func(cfg *ingest.Config) {
		cfg.Publisher = publisherFunc(func(context.Context, ...events.Event) error { panic("a fault of ours") })
	})
	_, p := d.TakeEvent(t.Context(), d.tenant, ingest.Arrival{Data: []byte(small)})
	if p == nil || p.Status != http.StatusInternalServerError || strings.Contains(p.Detail, "fault") {
		t.Errorf("%+v", p)
	}
}

func FuzzTakeEvent(f *testing.F) {
	for _, a := range arrivals() {
		f.Add(a.ContentType, a.Attributes["id"], a.Attributes["specversion"], a.Data)
	}
	cat := testCatalog()
	s := ingest.New(ingest.Config{
		Catalog: func() *catalog.Catalog { return cat }, Results: results.New(results.NewMemory()),
		Publisher: publisherFunc(func(context.Context, ...events.Event) error { return nil }),
	})
	f.Fuzz(func(t *testing.T, contentType, id, version string, data []byte) {
		a := ingest.Arrival{ID: id, ContentType: contentType, Data: data}
		if version != "" {
			a.Attributes = map[string]string{"specversion": version, "id": id, "source": "s", "type": string(events.Requested)}
		}
		if _, p := s.TakeEvent(t.Context(), cat.Tenants["search"], a); p != nil && p.Status >= 500 {
			t.Errorf("%+v", p)
		}
	})
}
