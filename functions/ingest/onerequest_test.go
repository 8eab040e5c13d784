package ingest_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/objects"
)

// eventDoors are the ways in of an event, each of which returns the message that it became.
func eventDoors(d taking) map[string]func(*testing.T, string) string {
	const structured, source = "application/cloudevents+json", "/shop"
	plain := func(data string) string { return event("7", data) }
	encoded := func(data string) string {
		return strings.Replace(event("7", `""`), `"data":""`, `"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(data))+`"`, 1)
	}
	attributes := map[string]string{"specversion": "1.0", "id": "7", "source": source, "type": string(events.Requested)}
	posted := func(write func(string) string) func(*testing.T, string) string {
		return func(t *testing.T, data string) string {
			t.Helper()
			a := d.do(t, http.MethodPost, "/v1/events", write(data), "Content-Type", structured)
			if a.status != http.StatusAccepted {
				t.Fatalf("%s", a)
			}
			return a.receipt(t).MessageID
		}
	}
	batched := func(write func(string) string) func(*testing.T, string) string {
		return func(t *testing.T, data string) string {
			t.Helper()
			status, out := d.batch(t, "["+write(data)+"]")
			if status != http.StatusAccepted {
				t.Fatalf("%d, %+v", status, out)
			}
			return out[0].MessageID
		}
	}
	arrived := func(a ingest.Arrival, write func(string) string) func(*testing.T, string) string {
		return func(t *testing.T, data string) string {
			t.Helper()
			a.ID, a.Data = "1", []byte(write(data))
			rc, p := d.TakeEvent(t.Context(), d.tenant, a)
			if p != nil {
				t.Fatalf("%+v", p)
			}
			return rc.MessageID
		}
	}
	return map[string]func(*testing.T, string) string{
		"posted": posted(plain), "posted in base64": posted(encoded),
		"in a batch": batched(plain), "in a batch in base64": batched(encoded),
		"in headers": func(t *testing.T, data string) string {
			t.Helper()
			a := d.do(t, http.MethodPost, "/v1/events", data, "Ce-Id", "7", "Ce-Source", source, "Ce-Specversion", "1.0", "Ce-Type", string(events.Requested))
			return a.receipt(t).MessageID
		},
		"by a queue":                    arrived(ingest.Arrival{}, plain),
		"by a queue with its type":      arrived(ingest.Arrival{ContentType: structured}, plain),
		"by a queue in base64":          arrived(ingest.Arrival{ContentType: structured}, encoded),
		"by a queue in its attributes":  arrived(ingest.Arrival{Attributes: attributes}, func(data string) string { return data }),
		"by a queue, again with a type": arrived(ingest.Arrival{ContentType: "application/json"}, plain),
	}
}

func openDoors(t *testing.T, store objects.Store) taking {
	t.Helper()
	d := openTaking(t, withObjects(store))
	d.fixture.Server = httptest.NewServer(d.Server)
	t.Cleanup(d.fixture.Close)
	return d
}

func TestAnEventWithALargePartIsOneRequestByWhicheverDoorItComes(t *testing.T) {
	t.Parallel()
	store, image := objects.NewMemory(nil), noise(1, 4<<10)
	d := openDoors(t, store)
	messages := map[string]string{}
	for name, through := range eventDoors(d) {
		messages[through(t, pictured(image, ""))] = name
	}
	if len(messages) != 1 {
		t.Errorf("it became %v", messages)
	}
	all := kept(t, store)
	if len(all) != 1 || all[0].Size != int64(len(image)) {
		t.Errorf("kept %+v, want the image once", all)
	}
	for _, e := range d.published(t) {
		if e.Parts != 1 || !bytes.Contains(e.Data, []byte(attachments.PartPrefix)) || attachments.PartKey(e.PartsID, 0) != all[0].Key {
			t.Errorf("published with %d parts under %q: %s", e.Parts, e.PartsID, e.Data)
		}
	}
}

func TestAnEventThatIsRefusedLeavesNoPartByWhicheverDoorItComes(t *testing.T) {
	t.Parallel()
	store, image := objects.NewMemory(nil), noise(1, 4<<10)
	d := openDoors(t, store)
	unknown := strings.Replace(pictured(image, ""), "gpt-4-turbo", "none", 1)
	broken := strings.Replace(pictured(image, ""), "base64,", "base64,*", 1)
	for _, data := range []string{unknown, broken} {
		if _, out := d.batch(t, "["+event("8", data)+","+event("9", data+`,"more":1`)+"]"); out[0].Status != 422 || out[1].Status != 422 ||
			!strings.HasPrefix(out[0].Problem.Errors[0].Pointer, "/0/data/") {
			t.Errorf("in a batch: %+v", out)
		}
		for _, written := range []string{data, event("8", data), `{"specversion":"1.0","data":` + data + `}`} {
			if _, p := d.TakeEvent(t.Context(), d.tenant, ingest.Arrival{ID: "1", Data: []byte(written)}); p == nil || p.Status != 422 {
				t.Errorf("by a queue: %+v", p)
			}
		}
		in64 := `{"specversion":"1.0","id":"8","source":"/s","type":"` + string(events.Requested) + `","data_base64":"` +
			base64.StdEncoding.EncodeToString([]byte(data)) + `"}`
		a := d.do(t, http.MethodPost, "/v1/events", in64, "Content-Type", "application/cloudevents+json")
		if a.status != 422 || !strings.HasPrefix(a.problem(t).Errors[0].Pointer, "/data_base64/") {
			t.Errorf("in base64: %s", a)
		}
	}
	if all := kept(t, store); len(all) != 0 {
		t.Errorf("%v is left", all)
	}
}

func TestABodyInMemoryHasTheBoundsOfOneThatIsRead(t *testing.T) {
	t.Parallel()
	long := `{"model_id":"small","prompt":"` + strings.Repeat("x", 17<<10) + `"}`
	for name, tc := range map[string]struct {
		store objects.Store
		part  int64
		body  string
		fits  bool
	}{
		"a long text, and no store":  {nil, 0, long, false},
		"a long text, and a store":   {objects.NewMemory(nil), 256 << 10, long, false},
		"a long image, and no store": {nil, 256 << 10, pictured(noise(1, 20<<10), ""), false},
		"a long image, and a store":  {objects.NewMemory(nil), 256 << 10, pictured(noise(1, 20<<10), ""), true},
		"a longer image":             {objects.NewMemory(nil), 10 << 10, pictured(noise(1, 20<<10), ""), false},
		"a short image, and a store": {objects.NewMemory(nil), 256 << 10, pictured(noise(1, 100), ""), true},
		"a short image, no store":    {nil, 0, pictured(noise(1, 100), ""), true},
	} {
		cat := testCatalog()
		cat.Limits = catalog.Limits{Inline: 1 << 10, Part: tc.part, Body: 16 << 10}
		s := ingest.New(ingest.Config{Catalog: func() *catalog.Catalog { return cat }, Objects: tc.store})
		_, p := s.TakeBody(t.Context(), &ingest.Caller{Catalog: cat}, []byte(tc.body))
		if fits := p == nil; fits != tc.fits || p != nil && p.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
