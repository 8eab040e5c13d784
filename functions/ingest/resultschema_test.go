package ingest_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"baton.dev/baton/events"
)

// resultSchema returns the schema of results, compiled.
func resultSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(events.ResultSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(events.ResultSchemaURI, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(events.ResultSchemaURI)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// checkResult returns what the schema says of a result's bytes.
func checkResult(t *testing.T, schema *jsonschema.Schema, body []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return schema.Validate(v)
}

// someResult returns a result as infer makes it, with the changes.
func someResult(t *testing.T, change func(*events.Result)) []byte {
	t.Helper()
	accepted := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	r := events.Result{
		MessageID: events.MessageID("search", someID), RequestID: someID, Status: events.StatusCompleted, ModelID: "small",
		Target: "main", Output: "Hello <é>.", Message: json.RawMessage(`{"role":"assistant","content":"Hello <é>."}`),
		FinishReason: "stop", Usage: &events.Usage{PromptTokens: 3, CompletionTokens: 2, TotalTokens: 5}, Attempts: 2,
		Timings:  events.Timings{AcceptedAt: accepted, CompletedAt: accepted.Add(time.Second), QueueMS: 400, InferenceMS: 600},
		Metadata: map[string]string{"ticket": "7"},
	}
	change(&r)
	body, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestResultsAreValidByTheirSchema(t *testing.T) {
	t.Parallel()
	schema := resultSchema(t)
	fails := func(code string, attempts int) func(*events.Result) {
		return func(r *events.Result) {
			*r = events.Result{
				MessageID: r.MessageID, RequestID: r.RequestID, Status: events.StatusFailed, ModelID: r.ModelID, Attempts: attempts,
				Error: &events.ResultError{Code: code, Message: "Nothing more is tried."}, Timings: r.Timings,
			}
		}
	}
	for name, change := range map[string]func(*events.Result){
		"completed":              func(*events.Result) {},
		"completed without more": func(r *events.Result) { r.Usage, r.FinishReason, r.Metadata, r.Message = nil, "", nil, nil },
		"completed from a cache": func(r *events.Result) { r.Cached, r.Attempts, r.Target = true, 0, "" },
		"completed with tool calls": func(r *events.Result) {
			r.Output, r.FinishReason = "", "tool_calls"
			r.Message = json.RawMessage(`{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}`)
		},
		"failed":                 fails(events.CodeAttemptsSpent, 4),
		"failed before it began": fails(events.CodeExpired, 0),
	} {
		body := someResult(t, change)
		if err := checkResult(t, schema, body); err != nil {
			t.Errorf("%s: %v: %s", name, err, body)
		}
	}

	f := setup(t)
	r := f.accepted(t, good)
	f.do(t, http.MethodDelete, "/v1/inferences/"+r.MessageID, "")
	a := f.do(t, http.MethodGet, "/v1/inferences/"+r.MessageID, "")
	if err := checkResult(t, schema, a.body); err != nil || a.receipt(t).Status != events.StatusCanceled {
		t.Errorf("canceled: %v: %s", err, a)
	}
}

func TestWhatIsNoResultIsNotValid(t *testing.T) {
	t.Parallel()
	schema := resultSchema(t)
	for name, change := range map[string]func(*events.Result){
		"completed with nothing": func(r *events.Result) { r.Output, r.Message = "", nil },
		"completed and failed":   func(r *events.Result) { r.Error = &events.ResultError{Code: "timeout"} },
		"failed without a word":  func(r *events.Result) { r.Status = events.StatusFailed },
		"failed by nothing":      func(r *events.Result) { r.Status, r.Error = events.StatusFailed, &events.ResultError{} },
		"not at an end":          func(r *events.Result) { r.Status = events.StatusRunning },
		"without ids":            func(r *events.Result) { r.MessageID, r.RequestID = "", "" },
		"of no model":            func(r *events.Result) { r.ModelID = "" },
		"with a text as message": func(r *events.Result) { r.Message = json.RawMessage(`"x"`) },
		"before it began":        func(r *events.Result) { r.Timings.QueueMS = -1 },
	} {
		if body := someResult(t, change); checkResult(t, schema, body) == nil {
			t.Errorf("%s is valid: %s", name, body)
		}
	}
}

func TestTheResultSchemaHasTheFieldsOfAResult(t *testing.T) {
	t.Parallel()
	var schema struct {
		ID         string `json:"$id"`
		Properties map[string]json.RawMessage
		Required   []string
	}
	if err := json.Unmarshal(events.ResultSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	if schema.ID != events.ResultSchemaURI {
		t.Errorf("the schema's id is %q, want %q", schema.ID, events.ResultSchemaURI)
	}
	var fields, always []string
	for field := range reflect.TypeFor[events.Result]().Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		fields = append(fields, name)
		if options == "" {
			always = append(always, name)
		}
	}
	slices.Sort(fields)
	if got := slices.Sorted(maps.Keys(schema.Properties)); !slices.Equal(got, fields) {
		t.Errorf("the schema has %v, a result %v", got, fields)
	}
	if !slices.Equal(schema.Required, always) {
		t.Errorf("the schema requires %v, a result always has %v", schema.Required, always)
	}
}
