package oip

import (
	"encoding/json"
	"errors"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/model"
)

func TestPrompt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ data, want, code string }{
		"a prompt goes in as it is": {data: `{"prompt":"a\nb "}`, want: "a\nb "},
		"a single message is its text": {
			data: `{"messages":[{"role":"user","content":"only"}]}`, want: "only",
		},
		"text parts are one text": {
			data: `{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}`, want: "ab",
		},
		"a conversation is a transcript": {
			data: `{"messages":[{"role":"system","content":"be short"},{"role":"user","content":"hi"},{"role":"assistant","content":null},{"role":"user","content":"so?"}]}`,
			want: "system: be short\nuser: hi\nassistant: \nuser: so?\nassistant:",
		},
		"an image is unsupported": {
			data: `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x"}}]}]}`, code: events.CodeUnsupported,
		},
		"a file is unsupported": {
			data: `{"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]}`, code: events.CodeUnsupported,
		},
		"tool calls are unsupported": {
			data: `{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}]}`, code: events.CodeUnsupported,
		},
		"embeddings are unsupported":              {data: `{"operation":"embeddings","input":"x"}`, code: events.CodeUnsupported},
		"an operation of later days is":           {data: `{"operation":"sing","input":"x"}`, code: events.CodeUnsupported},
		"a text completion's input goes in":       {data: `{"operation":"text_completion","input":"once"}`, want: "once"},
		"a list of one text, too":                 {data: `{"operation":"text_completion","input":["once"]}`, want: "once"},
		"several texts are unsupported":           {data: `{"operation":"text_completion","input":["a","b"]}`, code: events.CodeUnsupported},
		"tokens are unsupported":                  {data: `{"operation":"text_completion","input":[1,2]}`, code: events.CodeUnsupported},
		"no message is invalid":                   {data: `{"messages":[]}`, code: events.CodeInvalidRequest},
		"a request of nothing is invalid":         {data: `{}`, code: events.CodeInvalidRequest},
		"a content that is a number is invalid":   {data: `{"messages":[{"role":"user","content":7}]}`, code: events.CodeInvalidRequest},
		"a message that is no object is invalid":  {data: `{"messages":["hi"]}`, code: events.CodeInvalidRequest},
		"tool calls of none are as if not there":  {data: `{"messages":[{"role":"user","content":"x","tool_calls":[]}]}`, want: "x"},
		"a part of no type is not taken for text": {data: `{"messages":[{"role":"user","content":[{}]}]}`, code: events.CodeUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r events.Request
			if err := json.Unmarshal([]byte(tc.data), &r); err != nil {
				t.Fatal(err)
			}
			got, err := prompt(&r)
			e, _ := errors.AsType[*model.Error](err)
			switch {
			case tc.code == "" && (err != nil || got != tc.want):
				t.Errorf("got %q, %v", got, err)
			case tc.code != "" && (e == nil || e.Code != tc.code || e.Message == ""):
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
