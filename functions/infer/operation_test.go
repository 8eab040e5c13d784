package infer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/model/simulated"
	"baton.dev/baton/internal/tokens"
)

// resultSchema returns what checks a result by its published schema.
func resultSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(events.ResultSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(events.ResultSchemaURI, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(events.ResultSchemaURI)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestOperationsBesideChat(t *testing.T) {
	t.Parallel()
	schema := resultSchema(t)
	for name, tc := range map[string]struct {
		request string
		says    func(r events.Result) bool
		cached  bool
	}{
		"a text completion": {
			`{"model_id":"gpt","operation":"text_completion","input":"hello"}`,
			func(r events.Result) bool { return r.Output != "" && len(r.Choices) > 0 && r.FinishReason == "stop" }, true,
		},
		"a text completion that is cut short": {
			`{"model_id":"gpt","operation":"text_completion","input":"hello","parameters":{"max_tokens":1}}`,
			func(r events.Result) bool { return len(r.Choices) > 0 && r.FinishReason == "length" }, false,
		},
		"embeddings": {
			`{"model_id":"gpt","operation":"embeddings","input":["hello","you"]}`,
			func(r events.Result) bool {
				return r.Output == "" && strings.Count(string(r.Embeddings), `"index"`) == 2
			}, true,
		},
		"several choices of a chat": {
			`{"model_id":"gpt","prompt":"hello","parameters":{"n":2}}`,
			func(r events.Result) bool {
				return len(r.Message) > 0 && strings.Count(string(r.Choices), `"index"`) == 2
			}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := setup(t, simulated.New(catalog.Simulate{Tokens: 3, Seed: 1}))
			c.catalog.Models["gpt"].Cache = time.Hour
			known := answers.New(answers.Config{})
			c.config.Answers = known
			in := scheduled(t, tc.request, 1)
			in.CacheKey = "k"
			out := c.one(t, in, events.Completed)
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out.Data))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(doc); err != nil {
				t.Errorf("%s: %v", out.Data, err)
			}
			var r events.Result
			if err := json.Unmarshal(out.Data, &r); err != nil || !tc.says(r) || r.Usage == nil {
				t.Errorf("got %s, %v", out.Data, err)
			}
			kept, ok := known.Get(t.Context(), "k")
			if ok != tc.cached {
				t.Errorf("an equal request is answered by it: %t, want %t", ok, tc.cached)
			}
			if again := kept.Result(in, events.Request{}, time.Now()); ok &&
				(string(again.Choices) != string(r.Choices) || string(again.Embeddings) != string(r.Embeddings)) {
				t.Errorf("an equal request gets %+v", again)
			}
		})
	}
}

// heard is who follows.
type heard struct{ pieces []tokens.Piece }

func (h *heard) Send(_ string, p tokens.Piece) { h.pieces = append(h.pieces, p) }

func TestPiecesOfAnAnswerAreHandedOnWhereTheyAreWanted(t *testing.T) {
	t.Parallel()
	for _, wanted := range []bool{true, false} {
		c := setup(t, simulated.New(catalog.Simulate{Tokens: 5, Seed: 1}))
		follower := &heard{}
		c.config.Tokens = follower
		in := scheduled(t, body, 2)
		in.Stream = wanted
		var r events.Result
		if err := json.Unmarshal(c.one(t, in, events.Completed).Data, &r); err != nil {
			t.Fatal(err)
		}
		if !wanted {
			if len(follower.pieces) > 0 {
				t.Errorf("nobody wants %v", follower.pieces)
			}
			continue
		}
		var said strings.Builder
		for n, p := range follower.pieces {
			said.WriteString(p.Text)
			if p.ID.Attempt != 2 || p.ID.N != n || p.ID.Token != follower.pieces[0].ID.Token || !json.Valid(p.Choices) {
				t.Errorf("piece %d is %+v", n, p)
			}
		}
		if said.String() != r.Output || len(follower.pieces) < 5 {
			t.Errorf("%d pieces said %q of %q", len(follower.pieces), said.String(), r.Output)
		}
	}
}

func TestAnAttemptWhoseDataIsNotThereWasNotBegun(t *testing.T) {
	t.Parallel()
	for _, code := range []string{events.CodeDataMissing, events.CodeDataAltered} {
		c := setup(t, never(t))
		c.config.Expand = func(events.Event) func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error) {
			return func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error) {
				return model.Body{}, model.NewError(code, nil)
			}
		}
		in := scheduled(t, `{"model_id":"gpt","messages":[{"role":"user","content":"hello"}]}`, 1)
		out := c.one(t, in, events.AttemptFailed)
		if out.ErrorCode != code || out.Begun != 0 || !reflect.DeepEqual(out.Tried, []string{"main"}) {
			t.Errorf("got %+v", out)
		}
	}
}
