package openaiapi_test

import (
	"strings"
	"testing"

	"baton.dev/baton/internal/openaiapi"
)

func TestARequestBecomesAUnifiedOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		endpoint openaiapi.Endpoint
		body     string
		want     string
	}{
		{
			"a chat keeps what it is not known for", openaiapi.ChatCompletions,
			`{"temperature":1.0, "model":"m","messages":[{"role":"user","content":"x"}],"user":"u","store":true,"service_tier":"flex","x":{"y":1e400},"stop":null,"metadata":{"k":"v"}}`,
			`{"model_id":"m","messages":[{"role":"user","content":"x"}],"parameters":{"temperature":1.0,"user":"u","store":true,"service_tier":"flex","x":{"y":1e400}},"metadata":{"k":"v"}}`,
		},
		{
			"a stream", openaiapi.ChatCompletions, `{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}`,
			`{"model_id":"m","messages":[],"stream":true}`,
		},
		{
			"a chat with fields of a unified request", openaiapi.ChatCompletions,
			`{"model":"m","messages":[],"request_id":"r","priority":1,"callback_url":"http://x"}`,
			`{"model_id":"m","messages":[],"parameters":{"request_id":"r","priority":1,"callback_url":"http://x"}}`,
		},
		{
			"a text completion", openaiapi.Completions, `{"model":"m","prompt":["a","b"],"echo":true}`,
			`{"model_id":"m","operation":"text_completion","input":["a","b"],"parameters":{"echo":true}}`,
		},
		{
			"embeddings", openaiapi.Embeddings, `{"model":"m","input":[1,2],"encoding_format":"base64"}`,
			`{"model_id":"m","operation":"embeddings","input":[1,2],"parameters":{"encoding_format":"base64"}}`,
		},
		{
			"a response", openaiapi.Responses, `{"model":"m","input":"x","background":true,"store":true,"include":[],"tools":[]}`,
			`{"model_id":"m","messages":[{"role":"user","content":"x"}]}`,
		},
		{
			"a response about an image and a file", openaiapi.Responses,
			`{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"x"},{"type":"input_image","image_url":"data:image/png;base64,AA==","detail":"low"},` +
				`{"type":"input_image","file_id":"file-1"},{"type":"input_file","file_id":"file-2"},{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]}]}`,
			`{"model_id":"m","messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}},` +
				`{"type":"image_url","image_url":{"url":"baton-file:file-1"}},{"type":"file","file":{"file_id":"file-2"}},{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]}]}`,
		},
		{
			"a response that refused before", openaiapi.Responses,
			`{"model":"m","input":[{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]},{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"x"}]}]}`,
			`{"model_id":"m","messages":[{"role":"assistant","content":null,"refusal":"no"},{"role":"tool","tool_call_id":"c","content":"x"}]}`,
		},
		{
			"a response with a function that is chosen", openaiapi.Responses,
			`{"model":"m","input":"x","tools":[{"type":"function","name":"f","description":null,"parameters":{}}],"tool_choice":{"type":"function","name":"f"},"text":{"format":{"type":"json_object"},"verbosity":"low"}}`,
			`{"model_id":"m","messages":[{"role":"user","content":"x"}],"parameters":{"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"tool_choice":{"type":"function","function":{"name":"f"}},"verbosity":"low","response_format":{"type":"json_object"}}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := openaiapi.Read(c.endpoint, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(r.Unified); got != c.want {
				t.Errorf("became\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestAFieldIsNamedAsOpenAINamesIt(t *testing.T) {
	t.Parallel()
	r, err := openaiapi.Read(openaiapi.Responses,
		[]byte(`{"model":"m","instructions":"i","input":[{"role":"user","content":"x"},{"type":"reasoning"},{"role":"user","content":"y"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]string{
		"": "", "/model_id": "model", "/messages/0/content": "instructions.content", "/messages/2/content/0/type": "input[2].content[0].type",
		"/messages/99/role": "input", "/messages/99999999999999999999/role": "input", "/messages": "input",
		"/parameters/max_completion_tokens": "max_output_tokens", "/parameters/x~1y/0": "x/y[0]", "/metadata/k": "metadata.k",
	} {
		if got := r.Param(pointer); got != want {
			t.Errorf("%q is %q, want %q", pointer, got, want)
		}
	}
	if got := openaiapi.Param(openaiapi.Completions, "/input/0"); got != "prompt[0]" {
		t.Errorf("the input of a completion is %q", got)
	}
}

func TestAnIDStandsForAMessage(t *testing.T) {
	t.Parallel()
	id := openaiapi.Responses.AnswerID(messageID)
	if got, ok := openaiapi.Responses.MessageID(id); !ok || got != messageID {
		t.Errorf("%s stands for %q, %v", id, got, ok)
	}
	for _, bad := range []string{"", "resp_", id + "0", id[:len(id)-1], strings.ToUpper(id), "chatcmpl-" + id[5:], "resp_" + strings.Repeat("g", 32)} {
		if got, ok := openaiapi.Responses.MessageID(bad); ok {
			t.Errorf("%q stands for %q", bad, got)
		}
	}
}

func TestANoteHasWhatAResponseRepeats(t *testing.T) {
	t.Parallel()
	body := func(instructions string) []byte {
		return []byte(`{"model":"m","input":"x","background":true,"instructions":"` + instructions + `","metadata":{"k":"v"},"tools":[]}`)
	}
	r, err := openaiapi.Read(openaiapi.Responses, body("i"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(r.Echo.Note()), `{"response":{"background":true,"instructions":"i","metadata":{"k":"v"},"tools":[]}}`; got != want {
		t.Errorf("note %s, want %s", got, want)
	}
	if echo, ok := openaiapi.ReadNote(r.Echo.Note()); !ok || !echo.Background() {
		t.Error("the note cannot be read")
	}
	if r, err = openaiapi.Read(openaiapi.Responses, body(strings.Repeat("i", 10_000))); err != nil {
		t.Fatal(err)
	}
	if got, want := string(r.Echo.Note()), `{"response":{"background":true,"metadata":{"k":"v"}}}`; got != want {
		t.Errorf("a large note is %s, want %s", got, want)
	}
	for _, bad := range []string{"", "null", "{}", `{"response":7}`, `{"batch":{}}`} {
		if _, ok := openaiapi.ReadNote([]byte(bad)); ok {
			t.Errorf("%q is a note", bad)
		}
	}
}
