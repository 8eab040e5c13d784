package openaiapi_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"baton.dev/baton/internal/openaiapi"
)

func endpoints() []openaiapi.Endpoint {
	return []openaiapi.Endpoint{openaiapi.ChatCompletions, openaiapi.Completions, openaiapi.Embeddings, openaiapi.Responses}
}

// FuzzRead reads bodies from outside: what is read makes valid JSON, the same each time, and what is not is an error of OpenAI's.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}}`,
		`{"model":"m","prompt":"x"}`, `{"model":"m","input":["x"],"dimensions":2}`,
		`{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"x"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}],` +
			`"tools":[{"type":"function","name":"f"}],"text":{"format":{"type":"json_schema"}},"reasoning":{"effort":"low"},"tool_choice":"auto"}`,
		`{`, `[]`, `{"model":1}`, `{"a":1,"a":2}`, "\ufeff{}", `{"model":"m","input":[null]}`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, e := range endpoints() {
			r, err := openaiapi.Read(e, body)
			if err != nil {
				if !json.Valid(err.JSON()) || err.Status != 400 || err.Message == "" {
					t.Fatalf("error %s", err.JSON())
				}
				continue
			}
			again, err := openaiapi.Read(e, body)
			if err != nil || !json.Valid(r.Unified) || !bytes.Equal(again.Unified, r.Unified) {
				t.Fatalf("%s: %s and %v", e, r.Unified, err)
			}
			if _, ok := openaiapi.ReadNote(r.Echo.Note()); !ok {
				t.Fatalf("note %s", r.Echo.Note())
			}
			r.Param("/messages/1/content/0")
		}
	})
}

// FuzzPieces takes choices from a relay and from a result: whatever they are, each event is JSON on one line.
func FuzzPieces(f *testing.F) {
	f.Add([]byte(role), []byte(stop), []byte(answer), []byte("null"))
	f.Add([]byte("[{\"index\":0,\n\"delta\":{\"content\":\r\n\"x\"}}]"), []byte(stop), []byte(`{"role":"assistant","content":"xy"}`), []byte("null"))
	f.Add([]byte(`[{"index":-1,"delta":{"tool_calls":[{"index":9}]}}]`), []byte("[\n{\"index\":0}]"), []byte(`{}`), []byte(`[{"message":{}}]`))
	f.Fuzz(func(t *testing.T, first, second, message, choices []byte) {
		for _, raw := range [][]byte{first, second, message, choices} {
			if !json.Valid(raw) {
				return // a relay and a result hold JSON
			}
		}
		res := completed(string(message), "stop")
		if string(choices) != "null" {
			res.Choices = choices
		}
		s := openaiapi.NewChunks(chat(t), messageID, time.Unix(1, 0))
		e := openaiapi.NewResponseEvents(openaiapi.Echo{}, messageID, "m", time.Unix(1, 0), -1)
		var all []openaiapi.Event
		for n, p := range [][]byte{first, second} {
			all = append(append(all, s.Take(piece(1, n, string(p)))...), e.Take(piece(1, n, string(p)))...)
		}
		for _, ev := range append(append(all, s.End(res)...), e.End(res)...) {
			if string(ev.Data) != "[DONE]" && !json.Valid(ev.Data) {
				t.Fatalf("event %s", ev.Data)
			}
			for _, c := range ev.Data {
				if c == '\n' || c == '\r' {
					t.Fatalf("event of two lines: %q", ev.Data)
				}
			}
		}
		if body, err := chat(t).Answer(res); err == nil && !json.Valid(body) {
			t.Fatalf("answer %s", body)
		}
	})
}
