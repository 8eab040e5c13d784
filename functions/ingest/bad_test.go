package ingest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

const good = `{"model_id":"gpt-4-turbo","prompt":"Say hello."}`

// bad is a request that must be refused: with the status, and with exactly these pointers in errors.
type bad struct {
	name     string
	body     string
	header   []string
	status   int
	pointers []string
}

var badBodies = []bad{
	// Not JSON, or not the JSON that is taken.
	{"an empty body", "", []string{"Content-Type", "application/json"}, 400, nil},
	{"a body of whitespace", " \n\t ", nil, 400, nil},
	{"a truncated object", `{"model_id":"gpt-4-turbo","prompt":"Say`, nil, 400, []string{"/prompt"}},
	{"an object that never ends", `{"model_id":"gpt-4-turbo"`, nil, 400, nil},
	{"a trailing comma", `{"model_id":"gpt-4-turbo",}`, nil, 400, nil},
	{"a single quote", `{'model_id':'x'}`, nil, 400, nil},
	{"a comment", `{"model_id":"gpt-4-turbo" /* the best */}`, nil, 400, nil},
	{"a bare word", `hello`, nil, 400, nil},
	{"form data", `model_id=gpt-4-turbo&prompt=hi`, nil, 400, nil},
	{"a NaN", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"temperature":NaN}}`, nil, 400, []string{"/parameters/temperature"}},
	{"an Infinity", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"temperature":Infinity}}`, nil, 400, []string{"/parameters/temperature"}},
	{"a leading zero", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"seed":01}}`, nil, 400, []string{"/parameters"}},
	{"a leading plus", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"seed":+1}}`, nil, 400, []string{"/parameters/seed"}},
	{"a hexadecimal number", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"seed":0x10}}`, nil, 400, []string{"/parameters"}},
	{"a raw newline in a string", "{\"model_id\":\"gpt-4-turbo\",\"prompt\":\"a\nb\"}", nil, 400, []string{"/prompt"}},
	{"a bad escape", `{"model_id":"gpt-4-turbo","prompt":"\x41"}`, nil, 400, []string{"/prompt"}},
	{"half a surrogate pair", `{"model_id":"gpt-4-turbo","prompt":"\ud800"}`, nil, 400, []string{"/prompt"}},
	{"bytes that are not UTF-8", "{\"model_id\":\"gpt-4-turbo\",\"prompt\":\"\xff\xfe\"}", nil, 400, []string{"/prompt"}},
	{"UTF-16", "{\x00\"\x00m\x00\"\x00", nil, 400, nil},
	{"an overlong encoding", "{\"model_id\":\"gpt-4-turbo\",\"prompt\":\"\xc0\xaf\"}", nil, 400, []string{"/prompt"}},
	{"a byte order mark", "\ufeff" + good, nil, 400, nil},
	{"two values", good + good, nil, 400, nil},
	{"text after the value", good + " and more", nil, 400, nil},
	{"a NUL after the value", good + "\x00", nil, 400, nil},
	{"a member given twice", `{"model_id":"a","model_id":"b","prompt":"x"}`, nil, 400, []string{"/model_id"}},
	{"a member given twice, spelt differently", `{"model_id":"a","model\u005fid":"b","prompt":"x"}`, nil, 400, []string{"/model_id"}},
	{"a member given twice deep inside", `{"model_id":"a","messages":[{"role":"user","content":"x","role":"system"}]}`, nil, 400, []string{"/messages/0/role"}},
	{"arrays nested too deep", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}}`, nil, 400, []string{"/parameters/a" + strings.Repeat("/0", 61)}},
	{"thousands of open brackets", strings.Repeat("[", 15000), nil, 400, []string{strings.Repeat("/0", 63)}},

	// JSON, but no valid request.
	{"an array", `[]`, nil, 422, []string{""}},
	{"a string", `"hello"`, nil, 422, []string{""}},
	{"null", `null`, nil, 422, []string{""}},
	{"an empty object", `{}`, nil, 422, []string{"/model_id", "/prompt"}},
	{"no model", `{"prompt":"x"}`, nil, 422, []string{"/model_id"}},
	{"neither prompt nor messages", `{"model_id":"gpt-4-turbo"}`, nil, 422, []string{"/prompt"}},
	{"both prompt and messages", `{"model_id":"gpt-4-turbo","prompt":"x","messages":[{"role":"user","content":"y"}]}`, nil, 422, []string{"/messages"}},
	{"an unknown field", `{"model_id":"gpt-4-turbo","promt":"x"}`, nil, 422, []string{"/prompt", "/promt"}},
	{"an unknown field with a slash and a tilde", `{"model_id":"gpt-4-turbo","prompt":"x","a/b~c":1}`, nil, 422, []string{"/a~1b~0c"}},
	{"OpenAI's own shape", `{"model":"gpt-4-turbo","messages":[{"role":"user","content":"x"}],"temperature":1}`, nil, 422, []string{"/model", "/model_id", "/temperature"}},
	{"a number as the model", `{"model_id":7,"prompt":"x"}`, nil, 422, []string{"/model_id"}},
	{"an empty model", `{"model_id":"","prompt":"x"}`, nil, 422, []string{"/model_id"}},
	{"a model there is not", `{"model_id":"gpt-9","prompt":"x"}`, nil, 422, []string{"/model_id"}},
	{"a very long model", `{"model_id":"` + strings.Repeat("m", 129) + `","prompt":"x"}`, nil, 422, []string{"/model_id"}},
	{"null as the prompt", `{"model_id":"gpt-4-turbo","prompt":null}`, nil, 422, []string{"/prompt"}},
	{"an empty prompt", `{"model_id":"gpt-4-turbo","prompt":""}`, nil, 422, []string{"/prompt"}},
	{"a list as the prompt", `{"model_id":"gpt-4-turbo","prompt":["a"]}`, nil, 422, []string{"/prompt"}},
	{"no messages in the list", `{"model_id":"gpt-4-turbo","messages":[]}`, nil, 422, []string{"/messages"}},
	{"an object as the messages", `{"model_id":"gpt-4-turbo","messages":{"role":"user","content":"x"}}`, nil, 422, []string{"/messages"}},
	{"a string as a message", `{"model_id":"gpt-4-turbo","messages":["x"]}`, nil, 422, []string{"/messages/0"}},
	{"a message without a role", `{"model_id":"gpt-4-turbo","messages":[{"content":"x"}]}`, nil, 422, []string{"/messages/0/role"}},
	{"an unknown role", `{"model_id":"gpt-4-turbo","messages":[{"role":"robot","content":"x"}]}`, nil, 422, []string{"/messages/0/role"}},
	{"a user's message without content", `{"model_id":"gpt-4-turbo","messages":[{"role":"user"}]}`, nil, 422, []string{"/messages/0/content"}},
	{"a number as content", `{"model_id":"gpt-4-turbo","messages":[{"role":"user","content":5}]}`, nil, 422, []string{"/messages/0/content"}},
	{"no parts in the content", `{"model_id":"gpt-4-turbo","messages":[{"role":"user","content":[]}]}`, nil, 422, []string{"/messages/0/content"}},
	{"a part of an unknown type", `{"model_id":"gpt-4-turbo","messages":[{"role":"user","content":[{"type":"video"}]}]}`, nil, 422, []string{"/messages/0/content/0/type"}},
	{"a text part without text", `{"model_id":"gpt-4-turbo","messages":[{"role":"user","content":[{"type":"text"}]}]}`, nil, 422, []string{"/messages/0/content/0/text"}},
	{"an image as a string", `{"model_id":"gpt-4-turbo","messages":[{"role":"user","content":[{"type":"image_url","image_url":"x"}]}]}`, nil, 422, []string{"/messages/0/content/0/image_url"}},
	{"audio without its format", `{"model_id":"gpt-4-turbo","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"eA=="}}]}]}`, nil, 422, []string{"/messages/0/content/0/input_audio/format"}},
	{"an image by another scheme", image("ftp://example.com/x.png"), nil, 422, []string{"/messages/0/content/0/image_url/url"}},
	{"an image of this machine", image("file:///etc/passwd"), nil, 422, []string{"/messages/0/content/0/image_url/url"}},
	{"a script as an image", image("javascript:alert(1)"), nil, 422, []string{"/messages/0/content/0/image_url/url"}},
	{"a page as an image", image("data:text/html,x"), nil, 422, []string{"/messages/0/content/0/image_url/url"}},
	{"an image without a scheme", image("//example.com/x.png"), nil, 422, []string{"/messages/0/content/0/image_url/url"}},
	{"an empty image", image(""), nil, 422, []string{"/messages/0/content/0/image_url/url"}},
	{"audio in another format", `{"model_id":"gpt-4-turbo","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"eA==","format":"ogg"}}]}]}`, nil, 422, []string{"/messages/0/content/0/input_audio/format"}},
	{"null as what a user says", `{"model_id":"gpt-4-turbo","messages":[{"role":"user","content":null}]}`, nil, 422, []string{"/messages/0/content"}},
	{"null as what the system says", `{"model_id":"gpt-4-turbo","messages":[{"role":"system","content":null}]}`, nil, 422, []string{"/messages/0/content"}},
	{"null as what the developer says", `{"model_id":"gpt-4-turbo","messages":[{"role":"developer","content":null}]}`, nil, 422, []string{"/messages/0/content"}},
	{"null as what a tool says", `{"model_id":"gpt-4-turbo","messages":[{"role":"tool","tool_call_id":"a","content":null}]}`, nil, 422, []string{"/messages/0/content"}},
	{"a tool's message that answers no call", `{"model_id":"gpt-4-turbo","messages":[{"role":"tool","content":"x"}]}`, nil, 422, []string{"/messages/0/tool_call_id"}},
	{"a tool's message that answers an empty call", `{"model_id":"gpt-4-turbo","messages":[{"role":"tool","content":"x","tool_call_id":""}]}`, nil, 422, []string{"/messages/0/tool_call_id"}},
	{"an assistant that says nothing", `{"model_id":"gpt-4-turbo","messages":[{"role":"assistant"}]}`, nil, 422, []string{"/messages/0/content"}},
	{"an assistant that says null", `{"model_id":"gpt-4-turbo","messages":[{"role":"assistant","content":null,"refusal":null,"audio":null}]}`, nil, 422, []string{"/messages/0/content"}},
	{"an assistant that says and calls nothing", `{"model_id":"gpt-4-turbo","messages":[{"role":"assistant","content":null,"tool_calls":[]}]}`, nil, 422, []string{"/messages/0/tool_calls"}},
	{"null as the tool calls", `{"model_id":"gpt-4-turbo","messages":[{"role":"assistant","content":"x","tool_calls":null}]}`, nil, 422, []string{"/messages/0/tool_calls"}},
	{"an object as the tool calls", `{"model_id":"gpt-4-turbo","messages":[{"role":"assistant","content":"x","tool_calls":{}}]}`, nil, 422, []string{"/messages/0/tool_calls"}},
	{"a string as a tool call", `{"model_id":"gpt-4-turbo","messages":[{"role":"assistant","tool_calls":["x"]}]}`, nil, 422, []string{"/messages/0/tool_calls/0"}},
	{"an empty message", `{"model_id":"gpt-4-turbo","messages":[{}]}`, nil, 422, []string{"/messages/0/content", "/messages/0/role"}},
	{"a list as the parameters", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":[]}`, nil, 422, []string{"/parameters"}},
	{"a temperature over 2", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"temperature":2.01}}`, nil, 422, []string{"/parameters/temperature"}},
	{"a temperature below 0", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"temperature":-1e-9}}`, nil, 422, []string{"/parameters/temperature"}},
	{"a temperature in quotes", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"temperature":"1"}}`, nil, 422, []string{"/parameters/temperature"}},
	{"a temperature beyond any float", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"temperature":1e999999999}}`, nil, 422, []string{"/parameters/temperature"}},
	{"a number beyond any float where any may stand", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"x":[1,-1e400]}}`, nil, 422, []string{"/parameters/x/1"}},
	{"no tokens", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"max_tokens":0}}`, nil, 422, []string{"/parameters/max_tokens"}},
	{"half a token", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"max_tokens":1.5}}`, nil, 422, []string{"/parameters/max_tokens"}},
	{"a top_p of 0", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"top_p":0}}`, nil, 422, []string{"/parameters/top_p"}},
	{"a stop that is a number", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"stop":1}}`, nil, 422, []string{"/parameters/stop"}},
	{"a stop with a number in it", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"stop":["a",1]}}`, nil, 422, []string{"/parameters/stop/1"}},
	{"streaming", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"stream":true}}`, nil, 422, []string{"/parameters/stream"}},
	{"a model among the parameters", `{"model_id":"gpt-4-turbo","prompt":"x","parameters":{"model":"gpt-4"}}`, nil, 422, []string{"/parameters/model"}},
	{"a request_id that is no UUID", `{"model_id":"gpt-4-turbo","prompt":"x","request_id":"42"}`, nil, 422, []string{"/request_id"}},
	{"a request_id in braces", `{"model_id":"gpt-4-turbo","prompt":"x","request_id":"{6f1c0a1e-8c3b-4d52-9a37-2f1f7c1f0b6e}"}`, nil, 422, []string{"/request_id"}},
	{"null as the request_id", `{"model_id":"gpt-4-turbo","prompt":"x","request_id":null}`, nil, 422, []string{"/request_id"}},
	{"an unknown priority", `{"model_id":"gpt-4-turbo","prompt":"x","priority":"urgent"}`, nil, 422, []string{"/priority"}},
	{"no time at all", `{"model_id":"gpt-4-turbo","prompt":"x","deadline_seconds":0}`, nil, 422, []string{"/deadline_seconds"}},
	{"a deadline in a week", `{"model_id":"gpt-4-turbo","prompt":"x","deadline_seconds":604800}`, nil, 422, []string{"/deadline_seconds"}},
	{"metadata that is no string", `{"model_id":"gpt-4-turbo","prompt":"x","metadata":{"a":1,"b":"x","c":null}}`, nil, 422, []string{"/metadata/a", "/metadata/c"}},
	{"metadata without a name", `{"model_id":"gpt-4-turbo","prompt":"x","metadata":{"":"x"}}`, nil, 422, []string{"/metadata/"}},
	{"metadata with a very long name", `{"model_id":"gpt-4-turbo","prompt":"x","metadata":{"` + strings.Repeat("n", 65) + `":"x"}}`, nil, 422, []string{"/metadata/" + strings.Repeat("n", 65)}},
	{"17 pairs of metadata", `{"model_id":"gpt-4-turbo","prompt":"x","metadata":{` + pairs(17) + `}}`, nil, 422, []string{"/metadata"}},
	{
		"everything at once",
		`{"model_id":"gpt-9","messages":[{"role":"robot","content":7}],"parameters":{"temperature":3,"max_tokens":"x"},` +
			`"callback_url":"ftp://example.com","priority":1,"deadline_seconds":-1,"colour":"red"}`, nil, 422,
		[]string{
			"/callback_url", "/colour", "/deadline_seconds", "/messages/0/content", "/messages/0/role", "/model_id",
			"/parameters/max_tokens", "/parameters/temperature", "/priority",
		},
	},

	// What the key may not do.
	{"a model the key may not use", good, []string{"Authorization", "Bearer " + narrowKey}, 403, []string{"/model_id"}},
	{
		"a callback host the key may not name", `{"model_id":"small","prompt":"x","callback_url":"https://evil.example.com/"}`,
		[]string{"Authorization", "Bearer " + narrowKey},
		403,
		[]string{"/callback_url"},
	},
	{
		"a callback host above the ones the key may name", `{"model_id":"small","prompt":"x","callback_url":"https://below.example.com/"}`,
		[]string{"Authorization", "Bearer " + narrowKey},
		403,
		[]string{"/callback_url"},
	},
	{
		"both", `{"model_id":"gpt-4-turbo","prompt":"x","callback_url":"https://evil.example.com/"}`,
		[]string{"Authorization", "Bearer " + narrowKey},
		403,
		[]string{"/callback_url", "/model_id"},
	},
	{
		"a callback that could not be signed", `{"model_id":"small","prompt":"x","callback_url":"https://hooks.example.com/"}`,
		[]string{"Authorization", "Bearer " + muteKey},
		422,
		[]string{"/callback_url"},
	},

	// Keys.
	{"no key", good, []string{"Authorization", ""}, 401, nil},
	{"an unknown key", good, []string{"Authorization", "Bearer nope"}, 401, nil},
	{"an empty key", good, []string{"Authorization", "Bearer "}, 401, nil},
	{"a key without a scheme", good, []string{"Authorization", searchKey}, 401, nil},
	{"basic authentication", good, []string{"Authorization", "Basic c2VhcmNoOng="}, 401, nil},
	{"two keys", good, []string{"Authorization", "Bearer " + searchKey, "Authorization", "Bearer " + searchKey}, 401, nil},
	{"a bad body without a key", "{", []string{"Authorization", ""}, 401, nil},

	// Content.
	{"no content type", good, []string{"Content-Type", ""}, 415, nil},
	{"plain text", good, []string{"Content-Type", "text/plain"}, 415, nil},
	{"a form", good, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, nil},
	{"a content type that is none", good, []string{"Content-Type", "json;;"}, 415, nil},
	{"another JSON", good, []string{"Content-Type", "application/ld+json"}, 415, nil},
	{"another charset", good, []string{"Content-Type", "application/json; charset=iso-8859-1"}, 415, nil},
	{"two content types", good, []string{"Content-Type", "application/json", "Content-Type", "application/json"}, 400, nil},
	{"gzip", good, []string{"Content-Encoding", "gzip"}, 415, nil},
	{"an unknown encoding", good, []string{"Content-Encoding", "rot13"}, 415, nil},
	{"a body over the limit", `{"model_id":"gpt-4-turbo","prompt":"` + strings.Repeat("x", 16<<10) + `"}`, nil, 413, nil},
	{"an empty Idempotency-Key", good, []string{"Idempotency-Key", `""`}, 400, nil},
	{"a very long Idempotency-Key", good, []string{"Idempotency-Key", strings.Repeat("k", 256)}, 400, nil},
	{"two Idempotency-Keys", good, []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, 400, nil},
}

// image returns a request that shows a model an image.
func image(url string) string {
	return `{"model_id":"gpt-4-turbo","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"` + url + `"}}]}]}`
}

func pairs(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = `"k` + string(rune('a'+i)) + `":"v"`
	}
	return strings.Join(all, ",")
}

func TestBadRequestsAreRefusedByNameOfTheField(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range badBodies {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := f.post(t, c.body, c.header...)
			if a.status != c.status {
				t.Fatalf("status %d, want %d: %s", a.status, c.status, a)
			}
			p := a.problem(t)
			if p.Detail == "" {
				t.Errorf("no detail: %s", a)
			}
			var got []string
			for _, e := range p.Errors {
				got = append(got, e.Pointer)
				if e.Detail == "" {
					t.Errorf("%s: no detail", e.Pointer)
				}
			}
			if !slices.Equal(got, c.pointers) {
				t.Errorf("pointers %q, want %q: %s", got, c.pointers, a)
			}
			if c.status == http.StatusUnauthorized && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("no challenge: %v", a.header)
			}
		})
	}
	t.Cleanup(func() {
		if left := f.published(t); len(left) != 0 {
			t.Errorf("%d events were published", len(left))
		}
		if n := len(badBodies); n < 60 {
			t.Errorf("%d bad requests", n)
		}
	})
}

func TestSentencesSayWhatToDo(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.post(t, `{"model_id":"gpt-4-turbo","messages":[{"role":"robot","content":7}],"colour":1,`+
		`"parameters":{"temperature":3,"max_tokens":1.5,"model":"x","stream":true},"priority":"urgent","metadata":[]}`)
	want := map[string]string{
		"/colour":                 "is not a field of a request; what is passed on to the model goes into parameters",
		"/messages/0/content":     "must be a string or an array, not a number",
		"/messages/0/role":        `must be one of "system", "developer", "user", "assistant", "tool"`,
		"/metadata":               "must be an object, not an array",
		"/parameters/max_tokens":  "must be a whole number",
		"/parameters/model":       "must not be given: model_id names the model",
		"/parameters/stream":      "is not a parameter here: set stream beside parameters",
		"/parameters/temperature": "must be at most 2",
		"/priority":               `must be one of "high", "normal", "low"`,
	}
	p := a.problem(t)
	for _, e := range p.Errors {
		if want[e.Pointer] != e.Detail {
			t.Errorf("%s %q, want %q", e.Pointer, e.Detail, want[e.Pointer])
		}
		delete(want, e.Pointer)
	}
	if len(want) > 0 {
		t.Errorf("nothing about %v: %s", want, a)
	}
}

func TestALongListOfFaultsIsCutAndCounted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p := f.post(t, `{"model_id":"gpt-4-turbo","messages":[`+strings.Repeat(`1,`, 199)+`1]}`).problem(t)
	if len(p.Errors) != 50 || !strings.HasPrefix(p.Detail, "200 fields are not valid") {
		t.Errorf("%d errors, detail %q", len(p.Errors), p.Detail)
	}
}

func TestTheDetailOfMalformedJSONNamesThePlace(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p := f.post(t, "{\n  \"model_id\": \"small\",\n  \"prompt\": oops\n}").problem(t)
	if !strings.Contains(p.Detail, "line 3, column 13") {
		t.Errorf("detail %q", p.Detail)
	}
}

func TestWrongMethodsAndPaths(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodGet, "/v1/inferences", 405, "POST"},
		{http.MethodPut, "/v1/inferences", 405, "POST"},
		{http.MethodDelete, "/async-infer", 405, "POST"},
		{http.MethodHead, "/v1/events", 405, "POST"},
		{http.MethodPost, "/v1/models", 405, "GET, HEAD"},
		{http.MethodPost, "/v1/inferences/6f1c0a1e-8c3b-4d52-9a37-2f1f7c1f0b6e", 405, "DELETE, GET, HEAD"},
		{http.MethodPatch, "/healthz", 405, "GET, HEAD"},
		{http.MethodOptions, "/v1/inferences", 405, "POST"},
		{http.MethodGet, "/", 404, ""},
		{http.MethodPost, "/v1/inferences/", 404, ""},
		{http.MethodPost, "/v1//inferences", 404, ""},
		{http.MethodGet, "/v1/inferences/a/b", 404, ""},
		{http.MethodGet, "/v1/inferences/../models", 404, ""},
		{http.MethodGet, "//v1/models", 404, ""},
		{http.MethodGet, "/v1/../v1/models", 404, ""},
		{http.MethodGet, "/./v1/models", 404, ""},
		{http.MethodGet, "/v1/models/", 404, ""},
		{http.MethodPost, "//v1/inferences", 404, ""},
		{http.MethodGet, "/V1/models", 404, ""},
		{http.MethodGet, "/metrics", 404, ""},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			t.Parallel()
			a := f.do(t, c.method, c.path, "")
			if a.status != c.status || a.header.Get("Allow") != c.allow {
				t.Errorf("answered %d, Allow %q: %s", a.status, a.header.Get("Allow"), a)
			}
			if c.method != http.MethodHead {
				a.problem(t)
			}
		})
	}
}

func TestMessagesAsTheyAreInUseAreTaken(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name, messages := range map[string]string{
		"every role": `{"role":"system","content":"x"},{"role":"developer","content":"x"},{"role":"user","content":"x"},
			{"role":"assistant","content":"x"}`,
		"a call and its answer": `{"role":"user","content":"x"},
			{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},
			{"role":"tool","tool_call_id":"a","content":"1"}`,
		"a call without content":         `{"role":"assistant","tool_calls":[{"id":"a"}]}`,
		"a call with content":            `{"role":"assistant","content":"Let me see.","tool_calls":[{"id":"a"}]}`,
		"a refusal":                      `{"role":"assistant","content":null,"refusal":"No."}`,
		"spoken":                         `{"role":"assistant","audio":{"id":"audio_1"}}`,
		"an answer as OpenAI returns it": `{"role":"assistant","content":"x","refusal":null,"annotations":[]}`,
		"an empty answer":                `{"role":"assistant","content":""}`,
		"a tool's parts":                 `{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"1"}]}`,
		"an assistant's parts":           `{"role":"assistant","content":[{"type":"text","text":"1"}]}`,
		"images": `{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/x.png","detail":"low"}},
			{"type":"image_url","image_url":{"url":"http://example.com/x"}},
			{"type":"image_url","image_url":{"url":"data:image/png;base64,eA=="}}]}`,
		"audio": `{"role":"user","name":"ann","content":[{"type":"input_audio","input_audio":{"data":"eA==","format":"wav"}},
			{"type":"input_audio","input_audio":{"data":"eA==","format":"mp3"}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.accepted(t, `{"model_id":"small","messages":[`+messages+`]}`)
		})
	}
}

func TestAWaitInTheQueryOfAPostIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, path := range []string{"/v1/inferences?wait=30s", "/async-infer?a=b&wait", "/v1/events?wait=0"} {
		a := f.do(t, http.MethodPost, path, good, binaryHeaders()...)
		if a.status != http.StatusBadRequest || !strings.Contains(a.problem(t).Detail, "Prefer: wait=") {
			t.Errorf("%s answered %d: %s", path, a.status, a)
		}
	}
	if n := len(f.published(t)); n != 0 {
		t.Errorf("%d events", n)
	}
	if a := f.do(t, http.MethodPost, "/v1/inferences?utm=x", good); a.status != http.StatusAccepted {
		t.Errorf("another parameter: %s", a)
	}
}
