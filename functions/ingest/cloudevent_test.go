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

func TestBadEventsInStructuredMode(t *testing.T) {
	t.Parallel()
	f := setup(t)
	data := `"data":` + good
	for _, c := range []struct {
		name, body string
		status     int
		pointers   []string
	}{
		{"no JSON", `{"specversion":"1.0"`, 400, nil},
		{"no object", `[]`, 422, []string{"/"}},
		{"an attribute given twice", envelope(data, `"one":"a","one":"b"`), 400, []string{"/one"}},
		{"a field of the data given twice", envelope(`"data":{"model_id":"a","model_id":"b"}`), 400, []string{"/data/model_id"}},
		{"another specversion", envelope(data, `"specversion":"0.3"`), 422, []string{"/specversion"}},
		{"a number as the specversion", envelope(data, `"specversion":1.0`), 422, []string{"/specversion"}},
		{"another type", envelope(data, `"type":"dev.baton.inference.completed.v1"`), 422, []string{"/type"}},
		{"no id and no source", envelope(data, `"id":"","source":null`), 422, []string{"/id", "/source"}},
		{"a number as the id", envelope(data, `"id":7`), 422, []string{"/id"}},
		{"another content type", envelope(`"datacontenttype":"text/plain","data":"x"`), 422, []string{"/datacontenttype"}},
		{"a time that is none", envelope(data, `"time":"yesterday"`), 422, nil},
		{"a dataschema that is no URI", envelope(data, `"dataschema":"inference"`), 422, []string{"/dataschema"}},
		{"an unknown priority", envelope(data, `"priority":"urgent"`), 422, []string{"/priority"}},
		{"an expirytime that is none", envelope(data, `"expirytime":"soon"`), 422, []string{"/expirytime"}},
		{"an expirytime that has passed", envelope(data, `"expirytime":"2020-01-01T00:00:00Z"`), 422, []string{"/expirytime"}},
		{"attributes of the chain", envelope(data, `"tenant":"other","attempt":3,"deadreason":"x","hops":1`), 422, []string{"/attempt", "/deadreason", "/hops", "/tenant"}},
		{"an object as an extension", envelope(data, `"one":{"a":1}`), 422, []string{"/one"}},
		{"a fraction as an extension", envelope(data, `"one":1.5`), 422, []string{"/one"}},
		{"a number over 32 bits", envelope(data, `"one":2147483648`), 422, []string{"/one"}},
		{"an extension with an upper-case name", envelope(data, `"One":"x"`), 422, []string{"/One"}},
		{"an extension without a name", envelope(data, `"":"x"`), 422, []string{"/"}},
		{"an extension with a long name", envelope(data, `"abcdefghijklmnopqrstu":"x"`), 422, []string{"/abcdefghijklmnopqrstu"}},
		{"an extension with a line break", envelope(data, `"one":"a\nb"`), 422, []string{"/one"}},
		{"an extension of 5 KiB", envelope(data, `"one":"`+strings.Repeat("x", 5<<10)+`"`), 422, []string{"/one"}},
		{"17 extensions", envelope(data, pairs(17)), 422, []string{"/kq"}},
		{"no data", envelope(), 400, nil},
		{"null as the data", envelope(`"data":null`), 422, []string{"/data"}},
		{"a string as the data", envelope(`"data":"x"`), 422, []string{"/data"}},
		{"faults in the data", envelope(`"data":{"model_id":7,"promt":"x"}`), 422, []string{"/data/model_id", "/data/prompt", "/data/promt"}},
		{"data twice", envelope(data, `"data_base64":"e30="`), 422, []string{"/data_base64"}},
		{"data_base64 that is a number", envelope(`"data_base64":1`), 422, []string{"/data_base64"}},
		{"data_base64 that is not base64", envelope(`"data_base64":"%%%"`), 422, nil},
		{"data_base64 that is not JSON", envelope(`"data_base64":"AAAA"`), 400, nil},
		{"faults in data_base64", envelope(`"data_base64":"e30="`), 422, []string{"/data_base64/model_id", "/data_base64/prompt"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := f.do(t, http.MethodPost, "/v1/events", c.body, "Content-Type", "application/cloudevents+json")
			if a.status != c.status {
				t.Fatalf("status %d, want %d: %s", a.status, c.status, a)
			}
			var got []string
			for _, e := range a.problem(t).Errors {
				got = append(got, e.Pointer)
			}
			if !slices.Equal(got, c.pointers) {
				t.Errorf("pointers %q, want %q: %s", got, c.pointers, a)
			}
		})
	}
}

func TestBadEventsInBinaryMode(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range []struct {
		name   string
		with   []string // replaces, or with "" removes, a header
		status int
		says   string
	}{
		{"no specversion", []string{"Ce-Specversion", ""}, 422, "ce-specversion"},
		{"another specversion", []string{"Ce-Specversion", "0.3"}, 422, "ce-specversion"},
		{"no id", []string{"Ce-Id", ""}, 422, "ce-id"},
		{"no source", []string{"Ce-Source", ""}, 422, "ce-source"},
		{"another type", []string{"Ce-Type", "com.example.other"}, 422, "ce-type"},
		{"a time that is none", []string{"Ce-Time", "now"}, 422, "CloudEvent"},
		{"an unknown priority", []string{"Ce-Priority", "urgent"}, 422, "ce-priority"},
		{"an expirytime that has passed", []string{"Ce-Expirytime", "2020-01-01T00:00:00Z"}, 422, "ce-expirytime"},
		{"an attribute of the chain", []string{"Ce-Tenant", "other"}, 422, "ce-tenant"},
		{"an attribute with a hyphen", []string{"Ce-My-Own", "x"}, 422, "CloudEvent"},
		{"an attribute without a name", []string{"Ce-", "x"}, 422, "names no attribute"},
		{"an attribute given twice", []string{"Ce-One", "a", "Ce-One", "b"}, 422, "ce-one"},
		{"a control character", []string{"Ce-One", "a%0Ab"}, 422, "ce-one"},
		{"a batch", []string{"Content-Type", "application/cloudevents-batch+json"}, 415, "Batches"},
		{"another event format", []string{"Content-Type", "application/cloudevents+xml"}, 415, "cloudevents+xml"},
		{"another content type", []string{"Content-Type", "text/plain"}, 415, "text/plain"},
		{"no content type", []string{"Content-Type", ""}, 415, "Content-Type"},
		{"gzip", []string{"Content-Encoding", "gzip"}, 415, "gzip"},
		{"no key", []string{"Authorization", ""}, 401, "key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var header []string
			for h := range slices.Chunk(binaryHeaders(), 2) {
				if h[0] != c.with[0] {
					header = append(header, h...)
				}
			}
			a := f.do(t, http.MethodPost, "/v1/events", good, append(header, c.with...)...)
			if a.status != c.status {
				t.Fatalf("status %d, want %d: %s", a.status, c.status, a)
			}
			if p := a.problem(t); !strings.Contains(p.Detail, c.says) {
				t.Errorf("detail %q does not say %q", p.Detail, c.says)
			}
		})
	}
	t.Run("faults in the data", func(t *testing.T) {
		t.Parallel()
		p := f.do(t, http.MethodPost, "/v1/events", `{"model_id":"small","prompt":7}`, binaryHeaders()...).problem(t)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/prompt" {
			t.Errorf("errors %+v", p.Errors)
		}
	})
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
