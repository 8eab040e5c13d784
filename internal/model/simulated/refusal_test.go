package simulated_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	const good = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		param, code        any
	}{
		"what is not JSON":           {"POST", path, `{"model":`, 400, nil, nil},
		"no body":                    {"POST", path, ``, 400, nil, nil},
		"no model":                   {"POST", path, `{"messages":[{"role":"user","content":"hi"}]}`, 400, nil, nil},
		"no messages":                {"POST", path, `{"model":"m"}`, 400, "messages", "missing_required_parameter"},
		"null messages":              {"POST", path, `{"model":"m","messages":null}`, 400, "messages", "missing_required_parameter"},
		"empty messages":             {"POST", path, `{"model":"m","messages":[]}`, 400, "messages", "empty_array"},
		"messages of text":           {"POST", path, `{"model":"m","messages":"hi"}`, 400, "messages", "invalid_type"},
		"a message without role":     {"POST", path, `{"model":"m","messages":[{"content":"hi"}]}`, 400, "messages[0].role", "missing_required_parameter"},
		"a role that is none":        {"POST", path, `{"model":"m","messages":[{"role":"king","content":"hi"}]}`, 400, "messages[0].role", "invalid_value"},
		"no content":                 {"POST", path, `{"model":"m","messages":[{"role":"user"}]}`, 400, "messages[0].content", "missing_required_parameter"},
		"content of a number":        {"POST", path, `{"model":"m","messages":[{"role":"user","content":1}]}`, 400, "messages[0].content", "invalid_type"},
		"a model of a number":        {"POST", path, `{"model":1,"messages":[]}`, 400, "model", "invalid_type"},
		"a temperature too high":     {"POST", path, strings.Replace(good, `{`, `{"temperature":2.5,`, 1), 400, "temperature", "decimal_above_max_value"},
		"a limit of no tokens":       {"POST", path, strings.Replace(good, `{`, `{"max_tokens":0,`, 1), 400, "max_tokens", "integer_below_min_value"},
		"a temperature below":        {"POST", path, strings.Replace(good, `{`, `{"temperature":-1,`, 1), 400, "temperature", "decimal_below_min_value"},
		"a temperature of text":      {"POST", path, strings.Replace(good, `{`, `{"temperature":"hot",`, 1), 400, "temperature", "invalid_type"},
		"more choices than many":     {"POST", path, strings.Replace(good, `{`, `{"n":129,`, 1), 400, "n", "integer_above_max_value"},
		"five stop sequences":        {"POST", path, strings.Replace(good, `{`, `{"stop":["a","b","c","d","e"],`, 1), 400, "stop", "array_above_max_length"},
		"a stop of a number":         {"POST", path, strings.Replace(good, `{`, `{"stop":1,`, 1), 400, "stop", "invalid_type"},
		"top without logprobs":       {"POST", path, strings.Replace(good, `{`, `{"top_logprobs":1,`, 1), 400, "top_logprobs", nil},
		"a format that is none":      {"POST", path, strings.Replace(good, `{`, `{"response_format":{"type":"xml"},`, 1), 400, "response_format.type", "invalid_value"},
		"a schema without name":      {"POST", path, strings.Replace(good, `{`, `{"response_format":{"type":"json_schema","json_schema":{"schema":{}}},`, 1), 400, "response_format.json_schema.name", "missing_required_parameter"},
		"a tool without name":        {"POST", path, strings.Replace(good, `{`, `{"tools":[{"type":"function","function":{}}],`, 1), 400, "tools[0].function.name", "missing_required_parameter"},
		"a tool that is no function": {"POST", path, strings.Replace(good, `{`, `{"tools":[{"type":"drill"}],`, 1), 400, "tools[0].type", "invalid_value"},
		"a choice without tools":     {"POST", path, strings.Replace(good, `{`, `{"tool_choice":"auto",`, 1), 400, "tool_choice", nil},
		"a choice of no tool":        {"POST", path, strings.Replace(good, `{`, `{"tools":[{"type":"function","function":{"name":"a"}}],"tool_choice":{"type":"function","function":{"name":"b"}},`, 1), 400, "tool_choice", nil},
		"a part that is none":        {"POST", path, `{"model":"m","messages":[{"role":"user","content":[{"type":"smell"}]}]}`, 400, "messages[0].content[0].type", "invalid_value"},
		"a part of a response":       {"POST", path, `{"model":"m","messages":[{"role":"user","content":[{"type":"input_text","text":"a"}]}]}`, 400, "messages[0].content[0].type", "invalid_value"},
		"an image without URL":       {"POST", path, `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, 400, "messages[0].content[0].image_url.url", "missing_required_parameter"},
		"an image of a file":         {"POST", path, `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///etc"}}]}]}`, 400, "messages[0].content[0].image_url.url", "invalid_value"},
		"an image broken":            {"POST", path, `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=A"}}]}]}`, 400, "messages[0].content[0].image_url.url", "invalid_base64_image"},
		"audio of no format":         {"POST", path, `{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"ogg"}}]}]}`, 400, "messages[0].content[0].input_audio.format", "invalid_value"},
		"a file it has not":          {"POST", path, `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-9"}}]}]}`, 400, "messages[0].content[0].file.file_id", "invalid_value"},
		"a completion of nothing":    {"POST", "/v1/completions", `{"model":"m"}`, 400, "prompt", "missing_required_parameter"},
		"a completion of a number":   {"POST", "/v1/completions", `{"model":"m","prompt":7}`, 400, "prompt", "invalid_type"},
		"a completion without model": {"POST", "/v1/completions", `{"prompt":"a"}`, 400, nil, nil},
		"an embedding of nothing":    {"POST", "/v1/embeddings", `{"model":"m","input":[]}`, 400, "input", "empty_array"},
		"an embedding of no text":    {"POST", "/v1/embeddings", `{"model":"m","input":["a",""]}`, 400, "input", "invalid_value"},
		"an embedding in hex":        {"POST", "/v1/embeddings", `{"model":"m","input":"a","encoding_format":"hex"}`, 400, "encoding_format", "invalid_value"},
		"dimensions too many":        {"POST", "/v1/embeddings", `{"model":"m","input":"a","dimensions":4000}`, 400, "dimensions", "integer_above_max_value"},
		"a response of nothing":      {"POST", "/v1/responses", `{"model":"m","input":[]}`, 400, "input", "empty_array"},
		"a response without model":   {"POST", "/v1/responses", `{"input":"a"}`, 400, "model", "missing_required_parameter"},
		"an item that is none":       {"POST", "/v1/responses", `{"model":"m","input":[{"type":"drill"}]}`, 400, "input[0].type", "invalid_value"},
		"a response to none":         {"POST", "/v1/responses", `{"model":"m","input":"a","previous_response_id":"resp_0"}`, 404, "previous_response_id", "previous_response_not_found"},
		"a response it has not":      {"GET", "/v1/responses/resp_0", ``, 404, nil, nil},
		"a wrong method to one":      {"PUT", "/v1/responses/resp_0", ``, 405, nil, "method_not_supported"},
		"a file that is none":        {"GET", "/v1/files/file-0", ``, 404, "id", nil},
		"a file without form":        {"POST", "/v1/files", `{}`, 400, nil, nil},
		"a batch of no file":         {"POST", "/v1/batches", `{"input_file_id":"file-0","endpoint":"/v1/embeddings","completion_window":"24h"}`, 400, "input_file_id", "invalid_value"},
		"a batch in an hour":         {"POST", "/v1/batches", `{"input_file_id":"file-0","endpoint":"/v1/embeddings","completion_window":"1h"}`, 400, "completion_window", "invalid_value"},
		"a batch of models":          {"POST", "/v1/batches", `{"input_file_id":"file-0","endpoint":"/v1/models","completion_window":"24h"}`, 400, "endpoint", "invalid_value"},
		"a batch that is none":       {"GET", "/v1/batches/batch_0", ``, 404, nil, nil},
		"a model that is none":       {"GET", "/v1/models/x", ``, 404, "model", "model_not_found"},
		"a model it has not":         {"POST", path, strings.Replace(good, `"m"`, `"x"`, 1), 404, nil, "model_not_found"},
		"a wrong method":             {"GET", path, ``, 405, nil, "method_not_supported"},
		"a wrong method to list":     {"POST", "/v1/models", ``, 405, nil, "method_not_supported"},
		"an unknown path":            {"POST", "/v1/nothing", good, 404, nil, nil},
		"a body that is too big":     {"POST", path, `"` + strings.Repeat("a", 16<<20) + `"`, 413, nil, "request_too_large"},
	} {
		t.Run(name+" is refused as OpenAI does", func(t *testing.T) {
			t.Parallel()
			w := ask(simulated.New(catalog.Simulate{Tokens: 1}, "m", "n"), tc.method, tc.path, tc.body)
			var got struct{ Error map[string]any }
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if w.Code != tc.status || got.Error["type"] != "invalid_request_error" || got.Error["message"] == "" ||
				got.Error["param"] != tc.param || got.Error["code"] != tc.code {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
	t.Run("an answer of the assistant that only calls tools is accepted", func(t *testing.T) {
		t.Parallel()
		w := ask(simulated.New(catalog.Simulate{Tokens: 1}), "POST", path, `{"model":"m","messages":[
			{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]},
			{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":"1"}]}`)
		if w.Code != 200 || decode(t, w.Body.String()).Usage.Prompt != 87 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}

func TestAKeyIsAskedFor(t *testing.T) {
	t.Parallel()
	s := simulated.New(catalog.Simulate{})
	s.RequireKey("sk-right")
	for header, want := range map[string]int{"Bearer sk-right": 200, "Bearer sk-wrong": 401, "Bearer ": 401, "": 401} {
		r := httptest.NewRequest(http.MethodGet, "/v1/models", http.NoBody)
		r.Header.Set("Authorization", header)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("with %q got %d %s", header, w.Code, w.Body)
		}
	}
	if w := ask(s, http.MethodGet, "/healthz", ""); w.Code != 200 {
		t.Errorf("without a key, health is %d", w.Code)
	}
}
