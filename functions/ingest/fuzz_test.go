package ingest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/egress"
	"baton.dev/baton/internal/results"
)

// door is a server whose published events are looked at as they come.
type door struct {
	server *ingest.Server
	last   *events.Event
}

func newDoor() *door {
	d := &door{}
	cat := testCatalog()
	d.server = ingest.New(ingest.Config{
		Catalog: func() *catalog.Catalog { return cat }, Results: results.New(results.NewMemory()),
		CheckCallback: egress.Policy{}.CheckURL,
		Publisher: publisherFunc(func(_ context.Context, out ...events.Event) error {
			d.last = &out[0]
			return nil
		}),
	})
	return d
}

// send sends a request and checks what must hold for any: no fault of ours, a problem for every refusal, and for every 202
// an event whose data has the request_id.
func (d *door) send(t *testing.T, r *http.Request) {
	t.Helper()
	d.last = nil
	r.Header.Set("Authorization", "Bearer "+searchKey)
	rec := httptest.NewRecorder()
	d.server.ServeHTTP(rec, r)
	if rec.Code >= 500 {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	if !json.Valid(rec.Body.Bytes()) {
		t.Fatalf("no JSON: %s", rec.Body)
	}
	if rec.Code != http.StatusAccepted {
		if d.last != nil {
			t.Fatalf("published and refused with %d", rec.Code)
		}
		return
	}
	if d.last == nil {
		return // the same request as before, which may have been canceled or be another's repeat
	}
	var answered receipt
	var req events.Request
	if err := json.Unmarshal(rec.Body.Bytes(), &answered); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(d.last.Data, &req); err != nil || req.RequestID != answered.RequestID || req.ModelID != d.last.Model ||
		req.CallbackURL != d.last.CallbackURL {
		t.Fatalf("answered %+v, published %+v with %s: %v", answered, d.last, d.last.Data, err)
	}
	if _, err := d.last.Lane(); err != nil || !d.last.Expiry.After(time.Now()) {
		t.Fatalf("event %+v: %v", d.last, err)
	}
	if _, err := d.last.CloudEvent(); err != nil {
		t.Fatal(err)
	}
}

// asTheSDKReads checks that the event sent last, if it was published, is the one that the official SDK reads.
func (d *door) asTheSDKReads(t *testing.T, h http.Header, body []byte) {
	t.Helper()
	if d.last == nil || bytes.Contains(body, []byte("data_base64")) && bytes.ContainsRune(body, '\\') {
		return // the SDK does not take base64 with an escaped slash in it
	}
	e, err := binding.ToEvent(t.Context(), cehttp.NewMessage(h, io.NopCloser(bytes.NewReader(body))))
	if err != nil {
		t.Fatalf("published what is no event to the SDK: %v", err)
	}
	_, rest, _ := bytes.Cut(e.Data(), []byte("{")) // after it stands a request_id where there was none
	if !bytes.HasSuffix(d.last.Data, rest) {
		t.Fatalf("published %s, the SDK reads %s", d.last.Data, e.Data())
	}
	for name, v := range d.last.Extra {
		given := e.Extensions()[name]
		if s, ok := given.(string); ok && events.Text(v) != s && !strings.Contains(s, "%") || given == nil {
			t.Fatalf("%s is %v, the SDK reads %v", name, v, given)
		}
	}
}

func FuzzPostRequest(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"request_id":"` + someID + `","model_id":"small","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],
		"parameters":{"temperature":1e-7},"callback_url":"https://hooks.example.com/","priority":"low","deadline_seconds":0.001,"metadata":{"a":"b"}}`))
	for _, c := range badBodies {
		f.Add([]byte(c.body))
	}
	for _, c := range badCallbacks {
		f.Add([]byte(`{"model_id":"small","prompt":"x","callback_url":"` + c.url + `"}`))
	}
	d := newDoor()
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/v1/inferences", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		d.send(t, r)
	})
}

func FuzzPostStructuredEvent(f *testing.F) {
	f.Add([]byte(envelope(`"data":` + good)))
	f.Add([]byte(envelope(`"data_base64":"e30="`, `"time":"2026-01-01T00:00:00Z","subject":"s","dataschema":"https://example.com/x"`)))
	f.Add([]byte(envelope(`"data_base64":1`)))
	f.Add([]byte(envelope(`"one":"x","two":2,"three":true,"four":null,"priority":"low","expirytime":"2999-01-01T00:00:00Z"`, `"data":`+good)))
	f.Add([]byte(`{"data":` + good + `,"id":"a","source":"b","type":"c","specversion":"1.0","datacontenttype":"application/json"}`))
	f.Add([]byte(`{"specversion":"1.0","":1}`))
	f.Add([]byte(envelope(`"data":`+good, `"time":"x","dataschema":"%","subject":null,"datacontenttype":null`)))
	f.Add([]byte(envelope(`"data_base64":"` + base64.StdEncoding.EncodeToString([]byte(good)) + `"`)))
	d := newDoor()
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/v1/events", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/cloudevents+json")
		d.send(t, r)
		d.asTheSDKReads(t, r.Header, body)
	})
}

func FuzzPostBinaryEvent(f *testing.F) {
	f.Add("Ce-One", "Euro%20%E2%82%AC", []byte(good))
	f.Add("Ce-", "x", []byte(good))
	f.Add("Ce-Specversion", "0.3", []byte(good))
	f.Add("Ce-Time", "2026-01-01T00:00:00Z", []byte(good))
	f.Add("Ce-Datacontenttype", "application/json", []byte(good))
	f.Add("Ce-Expirytime", "2999-01-01T00:00:00.999999999Z", []byte(good))
	f.Add("Content-Type", "application/cloudevents+json", []byte(envelope(`"data":`+good)))
	f.Add("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", []byte(good))
	d := newDoor()
	f.Fuzz(func(t *testing.T, name, value string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/v1/events", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		for h := range strings.SplitSeq(strings.Join(binaryHeaders(), "\n"), "\nCe-") {
			n, v, _ := strings.Cut(h, "\n")
			r.Header.Set("Ce-"+strings.TrimPrefix(n, "Ce-"), v)
		}
		if strings.ContainsFunc(name+value, func(c rune) bool { return c < ' ' }) {
			return // no server hands such a header on
		}
		r.Header.Set(name, value)
		d.send(t, r)
		d.asTheSDKReads(t, r.Header, body)
	})
}
