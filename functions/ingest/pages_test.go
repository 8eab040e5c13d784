package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/results"
)

func TestModelsAreThoseTheKeyMayUse(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for key, want := range map[string]string{
		searchKey: `{"object":"list","data":[` +
			`{"id":"gpt-4-turbo","object":"model","created":0,"owned_by":"baton"},` +
			`{"id":"small","object":"model","created":0,"owned_by":"baton"}]}`,
		narrowKey: `{"object":"list","data":[{"id":"small","object":"model","created":0,"owned_by":"baton"}]}`,
	} {
		a := f.do(t, http.MethodGet, "/v1/models", "", "Authorization", "Bearer "+key)
		if got := strings.TrimSpace(string(a.body)); a.status != 200 || got != want {
			t.Errorf("answered %d: %s, want %s", a.status, got, want)
		}
	}
	if a := f.do(t, http.MethodGet, "/v1/models", "", "Authorization", ""); a.status != 401 {
		t.Errorf("without a key: %s", a)
	}
}

func TestOpenPagesNeedNoKey(t *testing.T) {
	t.Parallel()
	f := setup(t, func(c *ingest.Config) {
		c.Version = `1.2.3-"x"`
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") })
	})
	for path, says := range map[string]string{
		"/healthz": `"ok"`, "/readyz": `"ready"`, "/metrics": "up 1", "/openapi.json": `"version": "1.2.3-\"x\""`,
		"/schemas/inference-request.json": "2020-12", "/schemas/inference-result.json": "2020-12",
	} {
		a := f.do(t, http.MethodGet, path, "", "Authorization", "")
		if a.status != 200 || !strings.Contains(string(a.body), says) {
			t.Errorf("%s answered %d: %s", path, a.status, a)
		}
		if path != "/metrics" && !json.Valid(a.body) {
			t.Errorf("%s is no JSON", path)
		}
		if a := f.do(t, http.MethodHead, path, "", "Authorization", ""); a.status != 200 || len(a.body) != 0 {
			t.Errorf("HEAD %s answered %d", path, a.status)
		}
	}
	if a := f.do(t, http.MethodGet, "/schemas/inference-request.json", ""); !bytes.Equal(a.body, events.RequestSchema()) {
		t.Errorf("another schema is served than is checked by")
	}
	if a := f.do(t, http.MethodGet, events.ResultSchemaPath, ""); !bytes.Equal(a.body, events.ResultSchema()) {
		t.Errorf("another schema of results is served than there is")
	}
}

func TestNotReadyIs503(t *testing.T) {
	t.Parallel()
	f := setup(t, func(c *ingest.Config) { c.Ready = func(context.Context) error { return errors.New("no quorum") } })
	a := f.do(t, http.MethodGet, "/readyz", "")
	if a.status != 503 || a.header.Get("Retry-After") == "" || strings.Contains(string(a.body), "quorum") {
		t.Errorf("answered %s", a)
	}
	a.problem(t)
}

// openAPI is as much of the served document as the tests look at.
type openAPI struct {
	OpenAPI string
	Paths   map[string]map[string]json.RawMessage
}

func TestTheOpenAPIDocumentHasEveryRouteAndNoOther(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var doc openAPI
	f.do(t, http.MethodGet, "/openapi.json", "").decode(t, &doc)
	if doc.OpenAPI != "3.1.0" || len(doc.Paths) != 25 {
		t.Errorf("OpenAPI %s with %d paths", doc.OpenAPI, len(doc.Paths))
	}
	for path, item := range doc.Paths {
		if isMounted(item) {
			continue // by the chain, which has a test of it
		}
		var want []string
		for method := range item {
			switch method = strings.ToUpper(method); method {
			case "PARAMETERS":
			case http.MethodGet:
				want = append(want, http.MethodGet, http.MethodHead)
			default:
				want = append(want, method)
			}
		}
		slices.Sort(want)
		a := f.do(t, "BREW", strings.Replace(path, "{message_id}", someID, 1), "")
		if got := a.header.Get("Allow"); a.status != 405 || got != strings.Join(want, ", ") {
			t.Errorf("%s allows %q, the document has %q", path, got, want)
		}
	}
}

// isMounted reports whether a path is of OpenAI's interface, which is a package beside this one.
func isMounted(item map[string]json.RawMessage) bool {
	for _, operation := range item {
		var about struct{ Tags []string }
		if json.Unmarshal(operation, &about) == nil && slices.Contains(about.Tags, "openai") { // parameters are an array
			return true
		}
	}
	return false
}

func TestAnswersAreAsTheOpenAPIDocumentSays(t *testing.T) {
	t.Parallel()
	f := setup(t)
	served := f.do(t, http.MethodGet, "/openapi.json", "")
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(served.body))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.DefaultDraft(jsonschema.Draft2020)
	const base = "http://baton.test" // where nothing else is: the document is complete in itself
	if err := c.AddResource(base+"/openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	check := func(component string, a answer) {
		t.Helper()
		s, err := c.Compile(base + "/openapi.json#/components/schemas/" + component)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.body))
		if err != nil {
			t.Fatalf("%s: %v", component, err)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v: %s", component, err, a)
		}
	}
	accepted := f.post(t, good)
	check("Receipt", accepted)
	path := accepted.header.Get("Location")
	check("Standing", f.do(t, http.MethodGet, path, ""))
	check("Cancellation", f.do(t, http.MethodDelete, path, ""))
	check("Result", f.do(t, http.MethodGet, path, ""))
	check("ModelList", f.do(t, http.MethodGet, "/v1/models", ""))
	check("Health", f.do(t, http.MethodGet, "/healthz", ""))
	check("Problem", f.post(t, `{"colour":1}`))
	check("Problem", f.do(t, http.MethodGet, "/nowhere", ""))
	check("Problem", f.do(t, http.MethodPost, "/v1/events", good))
	check("RequestedEvent", answer{body: []byte(envelope(`"data":` + good))})
	check("Request", answer{body: []byte(good)})
	check("Request", answer{body: []byte(`{"model_id":"small","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}`)})
	check("Result", answer{body: someResult(t, func(*events.Result) {})})

	running := f.post(t, good)
	id := running.receipt(t).MessageID
	if _, err := f.store.Begin(t.Context(), id, results.Beginning{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	check("Standing", f.do(t, http.MethodGet, running.header.Get("Location"), ""))
	check("Cancellation", f.do(t, http.MethodDelete, running.header.Get("Location"), ""))
}

func TestEveryReferenceInTheOpenAPIDocumentLeadsSomewhere(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var doc any
	f.do(t, http.MethodGet, "/openapi.json", "").decode(t, &doc)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if v["$id"] != nil || v["$schema"] != nil {
				t.Errorf("%v is a document of its own", v["$id"])
			}
			if ref, ok := v["$ref"].(string); ok {
				if !strings.HasPrefix(ref, "#/") {
					t.Errorf("%s leads out of the document", ref)
				}
				at := doc
				for token := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
					m, _ := at.(map[string]any)
					at = m[token]
				}
				if at == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, e := range v {
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(doc)
}
