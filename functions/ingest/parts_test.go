package ingest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/objects"
)

// withObjects keeps large parts, and lets few bytes stay in a body.
func withObjects(store objects.Store) option {
	return func(c *ingest.Config) {
		cat := testCatalog()
		cat.Limits = catalog.Limits{Inline: 1 << 10, Part: 256 << 10, Body: 16 << 10, Deadline: time.Hour}
		c.Catalog = func() *catalog.Catalog { return cat }
		c.Objects, c.MaxEvent = store, 8<<10
	}
}

func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// pictured returns a request with an image, and other members.
func pictured(image []byte, members string) string {
	return `{"model_id":"gpt-4-turbo",` + members + `"messages":[{"role":"user","content":[` +
		`{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` +
		base64.StdEncoding.EncodeToString(image) + `"}}]}]}`
}

func kept(t *testing.T, store *objects.Memory) []objects.Info {
	t.Helper()
	all, err := store.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestALargeImageTravelsByReference(t *testing.T) {
	t.Parallel()
	store, image := objects.NewMemory(nil), noise(1, 200<<10)
	f := setup(t, withObjects(store))
	structured := `{"specversion":"1.0","id":"1","source":"/s","type":"` + string(events.Requested) + `","data":` + pictured(image, "") + `}`
	for name, a := range map[string]answer{
		"posted":              f.post(t, pictured(image, "")),
		"an event":            f.do(t, http.MethodPost, "/v1/events", structured, "Content-Type", "application/cloudevents+json"),
		"an event in headers": f.do(t, http.MethodPost, "/v1/events", pictured(image, ""), "Ce-Id", "2", "Ce-Source", "/s", "Ce-Specversion", "1.0", "Ce-Type", string(events.Requested)),
	} {
		if a.status != http.StatusAccepted {
			t.Fatalf("%s: %s", name, a)
		}
	}
	published := f.published(t)
	if len(published) != 3 || len(kept(t, store)) != 3 {
		t.Fatalf("%d events, %d objects", len(published), len(kept(t, store)))
	}
	for _, e := range published {
		if e.Parts != 1 || e.PartsID == "" || e.DataRef != "" || len(e.Data) > 1000 || !bytes.Contains(e.Data, []byte(attachments.PartPrefix+"0;")) {
			t.Errorf("published with %d parts under %q: %s", e.Parts, e.PartsID, e.Data)
		}
		info, content, err := store.Get(t.Context(), attachments.PartKey(e.PartsID, 0))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(content)
		if err != nil || !bytes.Equal(got, image) || info.Expires.Before(e.Expiry.Add(time.Hour)) {
			t.Errorf("kept %d bytes until %s, %v", len(got), info.Expires, err)
		}
	}
}

func TestARequestThatIsLargerThanAnEventTravelsByReference(t *testing.T) {
	t.Parallel()
	store := objects.NewMemory(nil)
	f := setup(t, withObjects(store))
	const id = "6F1C0A1E-8C3B-4D52-9A37-2F1F7C1F0B6E"
	body := pictured(noise(1, 2<<10), `"request_id":"`+id+`","metadata":{"a":"b"},"prompt_padding":1,`)
	body = strings.Replace(body, `"prompt_padding":1`, `"parameters":{"x":"`+strings.Repeat("y", 10<<10)+`"}`, 1)
	f.accepted(t, body)
	e := f.published(t)[0]
	if e.DataRef != attachments.PartKey(e.PartsID, 1) || e.Parts != 2 || e.Data != nil || e.RequestID != id || len(e.DataDigest) != 64 {
		t.Fatalf("published %+v", e)
	}
	var seen []byte
	handler := attachments.Resolve(store, func(_ context.Context, in events.Event) ([]events.Event, error) {
		seen = in.Data
		return nil, nil
	})
	if _, err := handler(t.Context(), e); err != nil || !bytes.Contains(seen, []byte(`"metadata":{"a":"b"}`)) {
		t.Errorf("the next hop gets %.200s, %v", seen, err)
	}
	info, err := store.Stat(t.Context(), e.DataRef)
	if err != nil || info.Expires.Sub(e.Expiry) < time.Hour-time.Second {
		t.Errorf("it is kept until %s: %v", info.Expires, err)
	}
}

func TestARepeatOfARequestWithAPartIsTheSame(t *testing.T) {
	t.Parallel()
	store, image := objects.NewMemory(nil), noise(1, 50<<10)
	f := setup(t, withObjects(store))
	body := pictured(image, `"request_id":"6f1c0a1e-8c3b-4d52-9a37-2f1f7c1f0b6e",`)
	first := f.accepted(t, body)
	if second := f.accepted(t, body); second != first {
		t.Errorf("first %+v, second %+v", first, second)
	}
	all := f.published(t)
	if len(all) > 2 || len(kept(t, store)) != 1 {
		t.Errorf("%d events, %d objects are kept", len(all), len(kept(t, store)))
	}
	for _, e := range all {
		if e.PartsID != all[0].PartsID {
			t.Errorf("the events refer to %q and %q", e.PartsID, all[0].PartsID)
		}
	}
	other := pictured(noise(2, 50<<10), `"request_id":"6f1c0a1e-8c3b-4d52-9a37-2f1f7c1f0b6e",`)
	if a := f.post(t, other); a.status != http.StatusUnprocessableEntity {
		t.Errorf("another image under the same id: %s", a)
	}
	f.end(t, first.MessageID, events.StatusCompleted)
	if again := f.accepted(t, body); again != first {
		t.Errorf("after it ended: %+v", again)
	}
	if n := len(kept(t, store)); n != 1 {
		t.Errorf("%d objects are kept, so a repeat left some that nobody needs", n)
	}
}

func TestAPartOfARequestThatIsRefusedIsNotKept(t *testing.T) {
	t.Parallel()
	image := noise(1, 50<<10)
	good := pictured(image, "")
	const at = "/messages/0/content/1/image_url/url"
	down := publisherFunc(func(context.Context, ...events.Event) error { return hop.ErrTooLarge })
	for name, tc := range map[string]struct {
		path, body string
		header     []string
		status     int
		pointer    string
		publisher  hop.Publisher
	}{
		"no such model":      {"/v1/inferences", strings.Replace(good, "gpt-4-turbo", "none", 1), nil, 422, "/model_id", nil},
		"a model it may not": {"/v1/inferences", good, []string{"Authorization", "Bearer " + narrowKey}, 403, "/model_id", nil},
		"no JSON after it":   {"/v1/inferences", good + "}", nil, 400, "", nil},
		"no event": {
			"/v1/events", good + "}", []string{"Content-Type", "application/cloudevents+json"}, 400, "", nil,
		},
		"no attributes": {
			"/v1/events", good, []string{"Content-Type", "application/cloudevents+json"}, 422, "/data", nil,
		},
		"no base64":           {"/v1/inferences", strings.Replace(good, "base64,", "base64,*", 1), nil, 422, at, nil},
		"a part too large":    {"/v1/inferences", pictured(noise(1, 300<<10), ""), nil, 413, at, nil},
		"a rest too large":    {"/v1/inferences", pictured(image, `"prompt":"`+strings.Repeat("x", 17<<10)+`",`), nil, 413, "", nil},
		"longer than any":     {"/v1/inferences", pictured(noise(1, 3<<20), ""), nil, 413, "", nil},
		"a file by no id":     {"/v1/inferences", strings.Replace(good, `{"type":"text","text":"What is this?"}`, `{"type":"file","file":{"file_id":"../x"}}`, 1), nil, 422, "/messages/0/content/0/file/file_id", nil},
		"an event that large": {"/v1/inferences", good, nil, 413, "", down},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := objects.NewMemory(nil)
			f := setup(t, withObjects(store), func(c *ingest.Config) {
				if tc.publisher != nil {
					c.Publisher = tc.publisher
				}
			})
			a := f.do(t, http.MethodPost, tc.path, tc.body, tc.header...)
			if a.status != tc.status {
				t.Fatalf("%s", a)
			}
			if p := a.problem(t); tc.pointer != "" && (len(p.Errors) == 0 || p.Errors[0].Pointer != tc.pointer) {
				t.Errorf("errors %+v, want one at %s", p.Errors, tc.pointer)
			}
			if all := kept(t, store); len(all) != 0 {
				t.Errorf("%v is left", all)
			}
		})
	}
}

func TestAReferenceOfTheCallersOwnIsRefused(t *testing.T) {
	t.Parallel()
	ref := attachments.Reference{Type: "image/png", Bytes: 1, Digest: strings.Repeat("0", 64)}.String()
	image := func(url string) string {
		return `{"model_id":"gpt-4-turbo","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"` + url + `"}}]}]}`
	}
	for name, options := range map[string][]option{"with a store": {withObjects(objects.NewMemory(nil))}, "without": nil} {
		f := setup(t, options...)
		for _, body := range []string{
			image(ref), image(strings.Replace(ref, "b", `\u0062`, 1)), image("baton-part:"), image("baton-file:"),
			strings.Replace(image(""), `"image_url","image_url":{"url":""}`, `"file","file":{"file_data":"`+ref+`"}`, 1),
			strings.Replace(image(""), `"image_url","image_url":{"url":""}`, `"input_audio","input_audio":{"format":"wav","data":"`+ref+`"}`, 1),
		} {
			if a := f.post(t, body); a.status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %s: %s", name, body, a)
			}
		}
		status := http.StatusUnprocessableEntity
		if options != nil {
			status = http.StatusAccepted
		}
		if a := f.post(t, image("baton-file:file-a")); a.status != status {
			t.Errorf("%s, a file: %s", name, a)
		}
	}
}

// full is a store that takes nothing.
type full struct{ *objects.Memory }

func (full) Put(context.Context, objects.Info, io.Reader) (objects.Info, error) {
	return objects.Info{}, errors.New("no space left")
}

func TestAStoreThatIsAwayIsAnUnavailableService(t *testing.T) {
	t.Parallel()
	f := setup(t, withObjects(full{objects.NewMemory(nil)}))
	large := `{"model_id":"gpt-4-turbo","prompt":"` + strings.Repeat("x", 10<<10) + `"}`
	for name, body := range map[string]string{"a part": pictured(noise(1, 50<<10), ""), "a request": large} {
		a := f.post(t, body)
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || strings.Contains(a.String(), "space") {
			t.Errorf("%s: %s", name, a)
		}
	}
	f.accepted(t, `{"model_id":"gpt-4-turbo","prompt":"Hello."}`) // what is small needs no store
}
