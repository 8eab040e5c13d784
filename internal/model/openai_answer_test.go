package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"baton.dev/baton/events"
)

const toolCall = `{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]}`

// bodies are the bodies of chat completions, and what they come to: an answer, or a code and what it cost.
var bodies = map[string]struct {
	body  string
	want  Answer
	code  string
	usage *events.Usage
}{
	"text is kept, and the message as it was written": {
		body: `{"id":"x","choices":[{"index":0,"message":{"role":"assistant", "content":"a <b> \u00e9","x":1.50},"finish_reason":"stop"}],
			"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":1}}}`,
		want: Answer{
			Message: []byte(`{"role":"assistant", "content":"a <b> \u00e9","x":1.50}`), Output: "a <b> é", FinishReason: "stop",
			Usage: &events.Usage{
				PromptTokens: 3, CompletionTokens: 2, TotalTokens: 5, PromptDetails: []byte(`{"cached_tokens":1}`),
			},
		},
	},
	"text parts are one text": {
		body: `{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"reasoning","text":"hm"},{"type":"text","text":"b"},7]}}]}`,
		want: Answer{
			Message: []byte(`{"content":[{"type":"text","text":"a"},{"type":"reasoning","text":"hm"},{"type":"text","text":"b"},7]}`),
			Output:  "ab",
		},
	},
	"tool calls are something to keep": {
		body: `{"choices":[{"message":` + toolCall + `,"finish_reason":"tool_calls"}]}`,
		want: Answer{Message: []byte(toolCall), FinishReason: "tool_calls"},
	},
	"a function call is something to keep": {
		body: `{"choices":[{"message":{"content":null,"function_call":{"name":"f"}}}]}`,
		want: Answer{Message: []byte(`{"content":null,"function_call":{"name":"f"}}`)},
	},
	"a refusal is something to keep": {
		body: `{"choices":[{"message":{"content":null,"refusal":"I will not."}}]}`,
		want: Answer{Message: []byte(`{"content":null,"refusal":"I will not."}`)},
	},
	"audio is something to keep": {
		body: `{"choices":[{"message":{"content":null,"audio":{"id":"a"}}}]}`,
		want: Answer{Message: []byte(`{"content":null,"audio":{"id":"a"}}`)},
	},
	"an empty first choice does not hide the second": {
		body: `{"choices":[{"message":{"content":""}},{"message":{"content":"b"}}]}`,
		want: Answer{Message: []byte(`{"content":"b"}`), Output: "b"},
	},
	"an odd usage does not cost the answer": {
		body: `{"choices":[{"message":{"content":"a"},"finish_reason":7}],"usage":{"prompt_tokens":"many"}}`,
		want: Answer{Message: []byte(`{"content":"a"}`), Output: "a"},
	},
	"what the filter left is kept": {
		body: `{"choices":[{"message":{"content":"a"},"finish_reason":"content_filter"}]}`,
		want: Answer{Message: []byte(`{"content":"a"}`), Output: "a", FinishReason: "content_filter"},
	},
	"a character cut in two does not cost the answer": {
		body: "{\"choices\":[{\"message\":{\"content\":\"a\xe2\x82\"}}]}",
		want: Answer{Message: []byte(`{"content":"a` + "\uFFFD" + `"}`), Output: "a\uFFFD"},
	},
	"nothing left by the filter is refused content": {
		body: `{"choices":[{"message":{"content":""},"finish_reason":"content_filter"}]}`, code: events.CodeContentRefused,
	},
	"a filter without a message is refused content": {
		body: `{"choices":[{"finish_reason":"content_filter"}]}`, code: events.CodeContentRefused,
	},
	"no body is unusable":              {body: ``, code: events.CodeUnusableOutput},
	"a page is unusable":               {body: `<html>`, code: events.CodeUnusableOutput},
	"null is unusable":                 {body: `null`, code: events.CodeUnusableOutput},
	"a truncated body is unusable":     {body: `{"choices":[{"message":{"content":"a"}`, code: events.CodeUnusableOutput},
	"two bodies are unusable":          {body: `{"choices":[{"message":{"content":"a"}}]}{}`, code: events.CodeUnusableOutput},
	"an event stream is unusable":      {body: "data: {\"choices\":[]}\n\ndata: [DONE]\n\n", code: events.CodeUnusableOutput},
	"no choices is unusable":           {body: `{"id":"x"}`, code: events.CodeUnusableOutput},
	"empty choices is unusable":        {body: `{"choices":[]}`, code: events.CodeUnusableOutput},
	"an error in a 200 is unusable":    {body: `{"error":{"message":"overloaded"}}`, code: events.CodeUnusableOutput},
	"choices of numbers is unusable":   {body: `{"choices":[1]}`, code: events.CodeUnusableOutput},
	"no message is unusable":           {body: `{"choices":[{"text":"a"}]}`, code: events.CodeUnusableOutput},
	"a null message is unusable":       {body: `{"choices":[{"message":null}]}`, code: events.CodeUnusableOutput},
	"a message of text is unusable":    {body: `{"choices":[{"message":"a"}]}`, code: events.CodeUnusableOutput},
	"blank content is unusable":        {body: `{"choices":[{"message":{"content":" \n\t\u00a0"}}]}`, code: events.CodeUnusableOutput},
	"null content is unusable":         {body: `{"choices":[{"message":{"content":null}}]}`, code: events.CodeUnusableOutput},
	"content of no kind is unusable":   {body: `{"choices":[{"message":{"content":{"a":1}}}]}`, code: events.CodeUnusableOutput},
	"parts without text is unusable":   {body: `{"choices":[{"message":{"content":[{"type":"text"}]}}]}`, code: events.CodeUnusableOutput},
	"empty tool calls is unusable":     {body: `{"choices":[{"message":{"content":"","tool_calls":[]}}]}`, code: events.CodeUnusableOutput},
	"empty refusal and audio unusable": {body: `{"choices":[{"message":{"refusal":"","audio":null}}]}`, code: events.CodeUnusableOutput},
	"thought that took all the tokens is an answer without a word": {
		body: `{"choices":[{"message":{"content":null,"reasoning_content":"hm"},"finish_reason":"length"}]}`,
		want: Answer{Message: []byte(`{"content":null,"reasoning_content":"hm"}`), FinishReason: "length"},
	},
	"a stop sequence at the first token is an answer without a word": {
		body: `{"choices":[{"message":{"content":""},"finish_reason":"stop"}],"usage":{"completion_tokens":1}}`,
		want: Answer{Message: []byte(`{"content":""}`), FinishReason: "stop", Usage: &events.Usage{CompletionTokens: 1}},
	},
	"an empty choice at its bound does not hide the one after it": {
		body: `{"choices":[{"message":{"content":""},"finish_reason":"length"},{"message":{"content":"b"}}]}`,
		want: Answer{Message: []byte(`{"content":"b"}`), Output: "b"},
	},
	"an empty choice at its bound does not hide that another was filtered": {
		body: `{"choices":[{"message":{"content":""},"finish_reason":"length"},{"finish_reason":"content_filter"}]}`,
		code: events.CodeContentRefused,
	},
	"a filter that left nothing says what it cost": {
		body: `{"choices":[{"message":{"content":""},"finish_reason":"content_filter"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`,
		code: events.CodeContentRefused, usage: &events.Usage{PromptTokens: 3, CompletionTokens: 2},
	},
	"what stopped without a token is unusable, and says what it cost": {
		body: `{"choices":[{"message":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":3}}`,
		code: events.CodeUnusableOutput, usage: &events.Usage{PromptTokens: 3},
	},
	"no choices with a usage is unusable, and says what it cost": {
		body: `{"choices":[],"usage":{"prompt_tokens":3}}`, code: events.CodeUnusableOutput, usage: &events.Usage{PromptTokens: 3},
	},
	"an error in the midst of the tokens is unusable": {
		body: `{"choices":[{"message":{"content":""},"finish_reason":"error"}],"usage":{"completion_tokens":9}}`,
		code: events.CodeUnusableOutput, usage: &events.Usage{CompletionTokens: 9},
	},
	"no message at the bound is unusable": {
		body: `{"choices":[{"message":null,"finish_reason":"length"}]}`, code: events.CodeUnusableOutput,
	},
}

func TestDecodeAnswer(t *testing.T) {
	t.Parallel()
	for name, tc := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeAnswer(events.Request{}, []byte(tc.body))
			if code := codeOf(err); code != tc.code {
				t.Fatalf("got code %q (%v), want %q", code, err, tc.code)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %+v (message %s)\nwant %+v (message %s)", got, got.Message, tc.want, tc.want.Message)
			}
			if e, ok := errors.AsType[*Error](err); ok && !reflect.DeepEqual(e.Usage, tc.usage) {
				t.Errorf("got usage %+v, want %+v", e.Usage, tc.usage)
			}
		})
	}
}

func FuzzDecodeAnswer(f *testing.F) {
	for _, b := range bodies {
		f.Add([]byte(b.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		given := bytes.Clone(body)
		a, err := decodeAnswer(events.Request{}, body)
		if !bytes.Equal(body, given) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			if c := codeOf(err); c != events.CodeUnusableOutput && c != events.CodeContentRefused {
				t.Fatalf("error %v has code %q", err, c)
			}
			return
		}
		var m message
		if !utf8.Valid(a.Message) || json.Unmarshal(a.Message, &m) != nil {
			t.Fatalf("message %q is no JSON object", a.Message)
		}
		if strings.TrimSpace(a.Output) == "" && !m.saysOtherwise() && !a.bounded(a.Usage) {
			t.Fatalf("there is nothing to keep in %q", a.Message)
		}
	})
}

func decodeAnswer(r events.Request, body []byte) (Answer, error) {
	c, err := decodeCompletion(body)
	if err != nil {
		return Answer{}, err
	}
	return c.answer(r)
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}
