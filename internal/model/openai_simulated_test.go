package model_test

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/model/simulated"
)

func TestAnAnswerInPiecesIsTheOneThatComesWhole(t *testing.T) {
	t.Parallel()
	const tools = `"tools":[{"type":"function","function":{"name":"look_up","parameters":{"type":"object",` +
		`"properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city","days"]}}}]`
	for name, request := range map[string]string{
		"words":                   `{"prompt":"hello"}`,
		"a bound":                 `{"prompt":"hello","parameters":{"max_tokens":3}}`,
		"a stop":                  `{"prompt":"hello","parameters":{"stop":["a"]}}`,
		"several choices":         `{"prompt":"hello","parameters":{"n":3}}`,
		"log probabilities":       `{"prompt":"hello","parameters":{"logprobs":true,"top_logprobs":2}}`,
		"a call":                  `{"prompt":"hello","parameters":{` + tools + `}}`,
		"a call that must be":     `{"prompt":"hello","parameters":{` + tools + `,"tool_choice":"required","n":2}}`,
		"JSON":                    `{"prompt":"hello in JSON","parameters":{"response_format":{"type":"json_object"}}}`,
		"a text to complete":      `{"operation":"text_completion","input":"hello"}`,
		"texts to complete":       `{"operation":"text_completion","input":["hello","you"],"parameters":{"n":2}}`,
		"the best of a few texts": `{"operation":"text_completion","input":"hello","parameters":{"best_of":3}}`,
		"embeddings":              `{"operation":"embeddings","input":["hello","you"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r events.Request
			if err := json.Unmarshal([]byte(request), &r); err != nil {
				t.Fatal(err)
			}
			// Two servers, since one answers the same question otherwise when it is asked again.
			answer := func(delta func(model.Delta)) model.Answer {
				srv := httptest.NewServer(simulated.New(catalog.Simulate{Tokens: 9, Seed: 1}))
				defer srv.Close()
				client := model.NewOpenAI(model.OpenAIConfig{})
				defer client.Close()
				target := &catalog.Target{Name: "main", URL: srv.URL + "/v1", Model: "any", Timeout: time.Minute}
				a, err := client.Call(t.Context(), model.Call{Target: target, Request: r, Delta: delta})
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			var said strings.Builder
			pieces := 0
			whole, streamed := answer(nil), answer(func(d model.Delta) {
				said.WriteString(d.Text)
				pieces++
			})
			if !reflect.DeepEqual(whole, streamed) {
				t.Errorf("whole     %s %s %s %+v\nin pieces %s %s %s %+v", whole.Message, whole.Choices, whole.FinishReason, whole.Usage,
					streamed.Message, streamed.Choices, streamed.FinishReason, streamed.Usage)
			}
			if r.Operation != events.Embeddings && (pieces == 0 || said.String() != whole.Output) {
				t.Errorf("%d pieces said %q of %q", pieces, said.String(), whole.Output)
			}
		})
	}
}
