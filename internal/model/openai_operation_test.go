package model_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/model"
)

func TestOpenAIOperations(t *testing.T) {
	t.Parallel()
	const usage = `"usage":{"prompt_tokens":3,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":1},"completion_tokens_details":null}`
	embed := func(input string) events.Request {
		return events.Request{Operation: events.Embeddings, Input: []byte(input)}
	}
	complete := events.Request{Operation: events.TextCompletion, Input: []byte(`"x"`)}
	for name, tc := range map[string]struct {
		request events.Request
		path    string
		body    string
		want    model.Answer // without usage
		code    string
	}{
		"a text completion": {
			request: complete, path: "/v1/completions",
			body: `{"choices":[{"text":" a","index":0,"logprobs":null,"finish_reason":"stop"}],` + usage + `}`,
			want: model.Answer{
				Output: " a", FinishReason: "stop",
				Choices: []byte(`[{"text":" a","index":0,"logprobs":null,"finish_reason":"stop"}]`),
			},
		},
		"a text completion of which the first says nothing": {
			request: complete, path: "/v1/completions",
			body: `{"choices":[{"text":"","finish_reason":"stop"},{"text":"b","finish_reason":"length"}],` + usage + `}`,
			want: model.Answer{
				Output: "b", FinishReason: "length",
				Choices: []byte(`[{"text":"","finish_reason":"stop"},{"text":"b","finish_reason":"length"}]`),
			},
		},
		"a text completion that its bound leaves empty": {
			request: complete, path: "/v1/completions", body: `{"choices":[{"text":"","finish_reason":"length"}],` + usage + `}`,
			want: model.Answer{FinishReason: "length", Choices: []byte(`[{"text":"","finish_reason":"length"}]`)},
		},
		"a text completion without text": {
			request: complete, path: "/v1/completions", code: events.CodeUnusableOutput,
			body: `{"choices":[{"message":{"content":"a"},"finish_reason":"length"}],` + usage + `}`,
		},
		"a text completion that is filtered": {
			request: complete, path: "/v1/completions", code: events.CodeContentRefused,
			body: `{"choices":[{"text":"","finish_reason":"content_filter"}],` + usage + `}`,
		},
		"embeddings": {
			request: embed(`["a","b"]`), path: "/v1/embeddings",
			body: `{"object":"list","data":[{"index":0,"embedding":[0.10,-1e-7]},{"index":1,"embedding":"AAAAPw=="}],` + usage + `}`,
			want: model.Answer{Embeddings: []byte(`[{"index":0,"embedding":[0.10,-1e-7]},{"index":1,"embedding":"AAAAPw=="}]`)},
		},
		"the embedding of one list of tokens": {
			request: embed(`[1,2,3]`), path: "/v1/embeddings", body: `{"data":[{"embedding":[1]}],` + usage + `}`,
			want: model.Answer{Embeddings: []byte(`[{"embedding":[1]}]`)},
		},
		"the embeddings of two": {
			request: embed(`[[1],[2,3]]`), path: "/v1/embeddings", body: `{"data":[{"embedding":[1]},{"embedding":[2]}],` + usage + `}`,
			want: model.Answer{Embeddings: []byte(`[{"embedding":[1]},{"embedding":[2]}]`)},
		},
		"one embedding of two": {
			request: embed(`["a","b"]`), path: "/v1/embeddings", body: `{"data":[{"embedding":[1]}],` + usage + `}`,
			code: events.CodeUnusableOutput,
		},
		"no embeddings":      {request: embed(`"a"`), path: "/v1/embeddings", body: `{"data":[],` + usage + `}`, code: events.CodeUnusableOutput},
		"an empty embedding": {request: embed(`"a"`), path: "/v1/embeddings", body: `{"data":[{"embedding":[]}],` + usage + `}`, code: events.CodeUnusableOutput},
		"embeddings of a server that has none": {
			request: embed(`"a"`), path: "/v1/embeddings", body: `{"choices":[{"message":{"content":"a"}}],` + usage + `}`,
			code: events.CodeUnusableOutput,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != tc.path {
					t.Errorf("called %s", r.URL.Path)
				}
				_, _ = io.WriteString(w, tc.body)
			})
			call.Request = tc.request
			a, err := client.Call(t.Context(), call)
			got := a.Usage
			if tc.code != "" {
				got = wantCode(t, err, tc.code).Usage
			} else if err != nil {
				t.Fatal(err)
			}
			if got == nil || got.PromptTokens != 3 || string(got.PromptDetails) != `{"cached_tokens":1}` || got.CompletionDetails != nil {
				t.Errorf("usage %+v", got)
			}
			if a.Output != tc.want.Output || a.FinishReason != tc.want.FinishReason || a.Message != nil ||
				string(a.Choices) != string(tc.want.Choices) || string(a.Embeddings) != string(tc.want.Embeddings) {
				t.Errorf("got %+v, want %+v", a, tc.want)
			}
		})
	}

	t.Run("all choices of a chat, where it asks for more than a message says", func(t *testing.T) {
		t.Parallel()
		const choices = `[{"index":0,"message":{"role":"assistant","content":"a"},"logprobs":{},"finish_reason":"stop"}]`
		client, call := setup(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"choices":`+choices+`}`) })
		for parameters, want := range map[string]bool{
			`{}`: false, `{"n":1}`: false, `{"n":2}`: true, `{"n":"2"}`: false, `{"logprobs":true}`: true, `{"logprobs":false}`: false,
			`{"logprobs":null,"n":null}`: false, `{"top_logprobs":2}`: true, `{"top_logprobs":0}`: false,
		} {
			call.Request.Parameters = nil
			if err := json.Unmarshal([]byte(parameters), &call.Request.Parameters); err != nil {
				t.Fatal(err)
			}
			a, err := client.Call(t.Context(), call)
			if err != nil || (string(a.Choices) == choices) != want || (a.Choices == nil) == want || a.Output != "a" {
				t.Errorf("%s: got choices %s, %v", parameters, a.Choices, err)
			}
		}
	})
	t.Run("no other, and the server is not called", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was called") })
		call.Request.Operation = "image"
		_, err := client.Call(t.Context(), call)
		if e := wantCode(t, err, events.CodeUnsupported); e.Sent {
			t.Error("something was sent, it says")
		}
	})
}
