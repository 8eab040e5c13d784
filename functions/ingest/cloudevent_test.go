package ingest_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
)

// requested returns an event as the official SDK makes it.
func requested(t *testing.T, data string) cloudevents.Event {
	t.Helper()
	e := cloudevents.NewEvent()
	e.SetID("order-7")
	e.SetSource("https://shop.example.com/orders")
	e.SetType(string(events.Requested))
	if err := e.SetData(cloudevents.ApplicationJSON, json.RawMessage(data)); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTheOfficialSDKSubmitsRequests(t *testing.T) {
	t.Parallel()
	expiry := time.Now().Add(10 * time.Minute).UTC().Truncate(time.Second)
	for _, name := range []string{"binary", "structured"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			p, err := cloudevents.NewHTTP(cloudevents.WithTarget(f.URL+"/v1/events"),
				cehttp.WithHeader("Authorization", "Bearer "+searchKey), cehttp.WithClient(*f.Client()))
			if err != nil {
				t.Fatal(err)
			}
			client, err := cloudevents.NewClient(p)
			if err != nil {
				t.Fatal(err)
			}
			e := requested(t, good)
			e.SetExtension("priority", "low")
			e.SetExtension("expirytime", expiry)
			e.SetExtension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			e.SetExtension("tracestate", "a=1")
			e.SetExtension("shoporder", "7 é")
			e.SetExtension("shopcount", 3)
			ctx := cloudevents.WithEncodingBinary(t.Context())
			if name == "structured" {
				ctx = cloudevents.WithEncodingStructured(t.Context())
			}
			for range 2 { // the same event again is the same request
				if result := client.Send(ctx, e); !cloudevents.IsACK(result) {
					t.Fatalf("send: %v", result)
				}
			}
			published := f.published(t)
			if len(published) != 1 {
				t.Fatalf("%d events", len(published))
			}
			got := published[0]
			if got.Type != events.Requested || got.Source != "/baton/ingest" || got.ID == e.ID() || got.Tenant != "search" {
				t.Errorf("event %+v", got)
			}
			if got.Priority != events.Low || !got.Expiry.Equal(expiry) || got.TraceParent == "" || got.TraceState != "a=1" {
				t.Errorf("event %+v", got)
			}
			if got.Extra["shoporder"] != "7 é" || events.Text(got.Extra["shopcount"]) != "3" || len(got.Extra) != 2 {
				t.Errorf("extensions %v", got.Extra)
			}
			rest, ok := strings.CutPrefix(string(got.Data), `{"request_id":"`)
			if !ok || !strings.HasSuffix(rest, good[1:]) {
				t.Errorf("data %s", got.Data)
			}
		})
	}
}

func TestEitherModeIsTheSameRequest(t *testing.T) {
	t.Parallel()
	f := setup(t)
	binary := f.do(t, http.MethodPost, "/v1/events", good, binaryHeaders()...)
	structured := f.do(t, http.MethodPost, "/v1/events", envelope(`"data":`+good), "Content-Type", "application/cloudevents+json")
	encoded := f.do(t, http.MethodPost, "/v1/events",
		envelope(`"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(good))+`"`),
		"Content-Type", "application/cloudevents+json; charset=UTF-8")
	for _, a := range []answer{binary, structured, encoded} {
		if a.status != 202 || a.receipt(t) != binary.receipt(t) || a.header.Get("Location") == "" {
			t.Errorf("answered %s, want %s", a, binary)
		}
	}
	if n := len(f.published(t)); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestTheDataGoesBeforeTheEvent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	now := time.Now()
	a := f.do(t, http.MethodPost, "/v1/events",
		`{"request_id":"`+someID+`","model_id":"small","prompt":"x","priority":"high","deadline_seconds":60}`,
		append(binaryHeaders(), "Ce-Priority", "low", "Ce-Expirytime", now.Add(time.Hour).Format(time.RFC3339),
			"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")...)
	if a.status != 202 || a.receipt(t).RequestID != someID {
		t.Fatalf("answered %s", a)
	}
	e := f.published(t)[0]
	if e.Priority != events.High || e.Expiry.After(now.Add(2*time.Minute)) || e.TraceParent == "" {
		t.Errorf("event %+v", e)
	}
}

func TestAnEventsExpiryIsAtMostADayAhead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f := setup(t, func(c *ingest.Config) { c.Now = func() time.Time { return now } })
	a := f.do(t, http.MethodPost, "/v1/events", good, append(binaryHeaders(), "Ce-Expirytime", "2027-01-01T00:00:00Z")...)
	if a.status != 202 {
		t.Fatalf("answered %s", a)
	}
	if e := f.published(t)[0]; !e.Expiry.Equal(now.Add(24 * time.Hour)) {
		t.Errorf("expires %v", e.Expiry)
	}
}

func TestPercentEncodedHeadersAreDecodedOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.do(t, http.MethodPost, "/v1/events", good,
		append(binaryHeaders(), "Ce-One", "Euro%20%E2%82%AC%2520", "Ce-Two", "100% sure", "Ce-Three", "%ff")...)
	if a.status != 202 {
		t.Fatalf("answered %s", a)
	}
	want := map[string]any{"one": "Euro €%20", "two": "100% sure", "three": "%ff"}
	if got := f.published(t)[0].Extra; !maps.Equal(got, want) {
		t.Errorf("extensions %v, want %v", got, want)
	}
}

// binaryHeaders are the headers of an event in binary mode; others replace them by standing after them.
func binaryHeaders() []string {
	return []string{
		"Ce-Specversion", "1.0", "Ce-Id", "order-7", "Ce-Source", "https://shop.example.com/orders",
		"Ce-Type", string(events.Requested),
	}
}

// envelope returns an event in structured mode with the members given; a member replaces the usual one of its name.
func envelope(members ...string) string {
	all := strings.Join(members, ",")
	for name, value := range map[string]string{
		"specversion": "1.0", "id": "order-7", "source": "https://shop.example.com/orders", "type": string(events.Requested),
	} {
		if !strings.Contains(all, `"`+name+`":`) {
			all += `,"` + name + `":"` + value + `"`
		}
	}
	return "{" + strings.TrimPrefix(all, ",") + "}"
}

func TestNullIsNoAttribute(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.do(t, http.MethodPost, "/v1/events", envelope(`"data":`+good, `"time":null`, `"subject":null`, `"dataschema":null`,
		`"datacontenttype":null`, `"priority":null`, `"expirytime":null`, `"traceparent":null`, `"one":null`),
		"Content-Type", "application/cloudevents+json")
	if a.status != 202 {
		t.Fatalf("answered %s", a)
	}
	if e := f.published(t)[0]; len(e.Extra) != 0 || e.Priority != events.High {
		t.Errorf("event %+v", e)
	}
}

func TestBase64MayHaveItsSlashesEscaped(t *testing.T) {
	t.Parallel()
	f := setup(t)
	encoded := base64.StdEncoding.EncodeToString([]byte(`{"model_id":"small","prompt":"?????"}`))
	if !strings.Contains(encoded, "/") {
		t.Fatal(encoded)
	}
	a := f.do(t, http.MethodPost, "/v1/events", `{"specversion":"1.0","id":"a","source":"b","type":"`+string(events.Requested)+
		`","data_base64":"`+strings.ReplaceAll(encoded, "/", `\/`)+`"}`, "Content-Type", "application/cloudevents+json")
	if a.status != 202 {
		t.Errorf("answered %s", a)
	}
}

func TestTheSameEventWithOtherDataIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	if a := f.do(t, http.MethodPost, "/v1/events", good, binaryHeaders()...); a.status != 202 {
		t.Fatal(a)
	}
	a := f.do(t, http.MethodPost, "/v1/events", `{"model_id":"small","prompt":"other"}`, binaryHeaders()...)
	if p := a.problem(t); a.status != 422 || !strings.HasSuffix(p.Type, "/id-reused") {
		t.Errorf("answered %s", a)
	}
	other := slices.Clone(binaryHeaders())
	other[5] = "https://other.example.com/"
	if a := f.do(t, http.MethodPost, "/v1/events", `{"model_id":"small","prompt":"other"}`, other...); a.status != 202 {
		t.Errorf("the same id of another source: %s", a)
	}
}
