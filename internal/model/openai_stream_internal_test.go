package model

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"unicode/utf8"

	"baton.dev/baton/events"
)

// receiving returns the exchange of a call that was sent.
func receiving(t *testing.T, call Call) *exchange {
	t.Helper()
	op, _ := operationOf(call.Request)
	return &exchange{
		OpenAI: NewOpenAI(OpenAIConfig{MaxAnswer: 1 << 12}), Call: call, op: op, payload: &payload{},
		ctx: t.Context(), callCtx: t.Context(), cancel: func() {}, late: events.CodeTimeout,
	}
}

// apart gives each of the texts by a read of its own, and the end by one more.
type apart struct {
	texts []string
	ended bool
}

func (a *apart) Read(p []byte) (int, error) {
	if len(a.texts) == 0 {
		a.ended = true
		return 0, io.EOF
	}
	n := copy(p, a.texts[0])
	a.texts = a.texts[1:]
	return n, nil
}

func (a *apart) Close() error { return nil }

// A connection whose response was not read to its end is not used again.
func TestAStreamIsReadToItsEndAfterAllWasSaid(t *testing.T) {
	t.Parallel()
	body := &apart{texts: []string{
		`data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}` + "\n\n", "data: [DONE]\n\n", "\n",
	}}
	a, err := receiving(t, Call{}).stream(&http.Response{StatusCode: http.StatusOK, Body: body})
	if err != nil || a.Output != "a" || !body.ended {
		t.Errorf("got %+v, %v, to the end: %t", a, err, body.ended)
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"), true)
	f.Add([]byte("\xef\xbb\xbf: c\r\n\r\nevent: error\r\ndata: {\"error\":{\"message\":\"m\",\"code\":400}}\r\rdata:{\n"), true)
	f.Add([]byte("data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\"},{\"x\":[[{}]]}]}}],\"usage\":{}}\n\n"), true)
	f.Add([]byte("data: {\"choices\":[{\"index\":0,\"text\":\"\xff\\ud83d\",\"logprobs\":{\"tokens\":[\"a\"]},\"x\":{\"y\":null}}]}\n\ndata: [DONE]\n\n"), false)
	f.Fuzz(func(t *testing.T, body []byte, chat bool) {
		r := events.Request{}
		if !chat {
			r.Operation = events.TextCompletion
		}
		x := receiving(t, Call{Request: r, Delta: func(d Delta) {
			if !json.Valid(d.Choices) || !utf8.Valid(d.Choices) || !utf8.ValidString(d.Text) {
				t.Fatalf("the choices of a piece are %q", d.Choices)
			}
		}})
		a, err := x.stream(&http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body))})
		if err != nil {
			if codeOf(err) == "" {
				t.Fatalf("error %v has no code", err)
			}
			return
		}
		for name, raw := range map[string][]byte{"message": a.Message, "choices": a.Choices} {
			if len(raw) > 0 && (!json.Valid(raw) || !utf8.Valid(raw)) {
				t.Fatalf("the %s is %q", name, raw)
			}
		}
		if len(a.Message)+len(a.Choices) > 8<<12 {
			t.Fatalf("the answer has %d bytes", len(a.Message)+len(a.Choices))
		}
	})
}
