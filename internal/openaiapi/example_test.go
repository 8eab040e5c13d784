package openaiapi_test

import (
	"encoding/json"
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/openaiapi"
	"baton.dev/baton/internal/tokens"
)

// A request goes into the chain as a unified one, and its result comes out as OpenAI has it.
func ExampleRead() {
	r, _ := openaiapi.Read(openaiapi.ChatCompletions,
		[]byte(`{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}],"temperature":0}`))
	fmt.Println(string(r.Unified))
	body, _ := r.Answer(events.Result{
		MessageID: "018f3b0e-6a1c-5d7e-9b1a-2c3d4e5f6a7b", Status: events.StatusCompleted, ModelID: "gpt-4o",
		Message: json.RawMessage(`{"role":"assistant","content":"Hello."}`), FinishReason: "stop",
		Timings: events.Timings{AcceptedAt: time.Unix(1700000000, 0)},
	})
	fmt.Println(string(body))
	// Output:
	// {"model_id":"gpt-4o","messages":[{"role":"user","content":"Hi"}],"parameters":{"temperature":0}}
	// {"id":"chatcmpl-018f3b0e6a1c5d7e9b1a2c3d4e5f6a7b","object":"chat.completion","created":1700000000,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"logprobs":null,"finish_reason":"stop"}]}
}

// A stream goes on from the pieces that came with what the result has beyond them.
func ExampleChunks() {
	r, _ := openaiapi.Read(openaiapi.ChatCompletions, []byte(`{"model":"m","stream":true,"messages":[]}`))
	s := openaiapi.NewChunks(r, "018f3b0e-6a1c-5d7e-9b1a-2c3d4e5f6a7b", time.Unix(1700000000, 0))
	told := s.Take(tokens.Piece{ID: tokens.ID{Attempt: 1}, Text: "Hel"})
	told = append(told, s.End(events.Result{Status: events.StatusCompleted, Output: "Hello.", FinishReason: "stop"})...)
	for _, e := range told {
		var chunk struct{ Choices json.RawMessage }
		if json.Unmarshal(e.Data, &chunk) != nil {
			fmt.Println(string(e.Data))
			continue
		}
		fmt.Println(string(chunk.Choices))
	}
	// Output:
	// [{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]
	// [{"index":0,"delta":{"content":"Hel"},"logprobs":null,"finish_reason":null}]
	// [{"index":0,"delta":{"content":"lo."},"logprobs":null,"finish_reason":null}]
	// [{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]
	// [DONE]
}
