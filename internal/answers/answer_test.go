package answers_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/answers"
)

// Results of which a message does not say all.
func beyondAMessage() map[string]events.Result {
	completed := events.Result{Status: events.StatusCompleted, ModelID: "m", Target: "t", FinishReason: "stop"}
	completed.Usage = &events.Usage{PromptTokens: 1, TotalTokens: 1, PromptDetails: json.RawMessage(`{"cached_tokens":1}`)}
	several, text, vectors := completed, completed, completed
	several.Output, several.Message = "a", json.RawMessage(`{"role":"assistant","content":"a"}`)
	several.Choices = json.RawMessage(`[{"message":{"content":"a"},"finish_reason":"stop"},{"message":{"content":"b"},"finish_reason":"stop"}]`)
	text.Output, text.Choices = "a", json.RawMessage(`[{"text":"a","index":0,"logprobs":null,"finish_reason":"stop"}]`)
	vectors.FinishReason, vectors.Embeddings = "", json.RawMessage(`[{"index":0,"embedding":[0.1,1e-7]}]`)
	return map[string]events.Result{"several choices": several, "a text completion": text, "embeddings": vectors}
}

func TestAnEqualRequestGetsAllOfTheAnswer(t *testing.T) {
	t.Parallel()
	for name, r := range beyondAMessage() {
		one, other, _, c := setup(t)
		if !answers.Cachable(r) {
			t.Errorf("%s: not to be kept", name)
			continue
		}
		one.Keep(t.Context(), key, "id", r, time.Minute)
		a, ok := other.Get(t.Context(), key)
		if !ok {
			t.Errorf("%s: not kept", name)
			continue
		}
		got := a.Result(events.Event{}, events.Request{}, c.now())
		if got.Output != r.Output || got.FinishReason != r.FinishReason || !reflect.DeepEqual(got.Usage, r.Usage) ||
			string(got.Message) != string(r.Message) || string(got.Choices) != string(r.Choices) ||
			string(got.Embeddings) != string(r.Embeddings) {
			t.Errorf("%s: got %+v, want %+v", name, got, r)
		}
	}
}

func TestAnAnswerOfWhichAChoiceIsCutShortIsNotKept(t *testing.T) {
	t.Parallel()
	r := beyondAMessage()["several choices"]
	for _, choices := range []string{
		`[{"finish_reason":"stop"},{"finish_reason":"length"}]`, `[{"finish_reason":7}]`, `{"finish_reason":"stop"}`,
	} {
		r.Choices = json.RawMessage(choices)
		if answers.Cachable(r) {
			t.Errorf("%s is kept", choices)
		}
	}
}
