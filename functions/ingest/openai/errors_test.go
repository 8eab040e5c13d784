package openai_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	client "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/hop"
)

const chatPath = "/v1/chat/completions"

const helloBody = `{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}]}`

func TestWhatIsWrongIsSaidAsOpenAIDoes(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	chat := func(more string) string {
		return `{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}]` + more + `}`
	}
	for _, c := range []struct {
		name, path, body      string
		header                []string
		status                int
		typ, param, code, say string
	}{
		{"no key", chatPath, chat(""), []string{"Authorization", ""}, 401, "invalid_request_error", "", "invalid_api_key", "key"},
		{"an unknown key", chatPath, chat(""), []string{"Authorization", "Bearer sk-nothing"}, 401, "invalid_request_error", "", "invalid_api_key", "key"},
		{"an unknown model", chatPath, `{"model":"nothing","messages":[{"role":"user","content":"x"}]}`, nil, 404, "invalid_request_error", "", "model_not_found", "`nothing` does not exist"},
		{"a model of others", chatPath, chat(""), []string{"Authorization", "Bearer " + narrowKey}, 404, "invalid_request_error", "", "model_not_found", "`gpt-4o` does not exist"},
		{"no model", chatPath, `{"messages":[]}`, nil, 400, "invalid_request_error", "", "", "you must provide a model"},
		{"no messages", chatPath, `{"model":"gpt-4o"}`, nil, 400, "invalid_request_error", "messages", "missing_required_parameter", "'messages'"},
		{"no messages in the list", chatPath, `{"model":"gpt-4o","messages":[]}`, nil, 400, "invalid_request_error", "messages", "empty_array", "'messages'"},
		{"an unknown role", chatPath, `{"model":"gpt-4o","messages":[{"role":"king","content":"x"}]}`, nil, 400, "invalid_request_error", "messages[0].role", "invalid_value", "must be one of"},
		{"a message without content", chatPath, `{"model":"gpt-4o","messages":[{"role":"user","content":"x"},{"role":"user"}]}`, nil, 400, "invalid_request_error", "messages[1].content", "missing_required_parameter", "'messages[1].content' is required"},
		{"a temperature too high", chatPath, chat(`,"temperature":3`), nil, 400, "invalid_request_error", "temperature", "decimal_above_max_value", "at most 2"},
		{"a bound of nothing", chatPath, chat(`,"max_tokens":0`), nil, 400, "invalid_request_error", "max_tokens", "integer_below_min_value", "at least 1"},
		{"a stream that is no word", chatPath, chat(`,"stream":"yes"`), nil, 400, "invalid_request_error", "stream", "invalid_type", "'stream'"},
		{"options of no stream", chatPath, chat(`,"stream_options":{"include_usage":true}`), nil, 400, "invalid_request_error", "stream_options", "", "only allowed when"},
		{"no JSON", chatPath, `{"model":`, nil, 400, "invalid_request_error", "", "", "could not parse"},
		{"no object", chatPath, `[]`, nil, 400, "invalid_request_error", "", "", "object"},
		{"a member twice", chatPath, `{"model":"gpt-4o","model":"small","messages":[]}`, nil, 400, "invalid_request_error", "", "", "twice"},
		{"a member twice, deep", chatPath, chat(`,"x":{"a":{"b":1,"b":2}}`), nil, 400, "invalid_request_error", "", "", "twice"},
		{"something after it", chatPath, chat("") + "x", nil, 400, "invalid_request_error", "", "", "could not parse"},
		{"no content type", chatPath, chat(""), []string{"Content-Type", "text/plain"}, 415, "invalid_request_error", "", "unsupported_content_type", "application/json"},
		{"a body too large", chatPath, chat(`,"x":"` + strings.Repeat("x", 300<<10) + `"`), nil, 413, "invalid_request_error", "", "request_too_large", "limit"},
		{"a bad idempotency key", chatPath, chat(""), []string{"Idempotency-Key", "é"}, 400, "invalid_request_error", "", "", "Idempotency-Key"},
		{"what the model refuses", chatPath, chat(`,"n":1000`), nil, 400, "invalid_request_error", "", "", "n"},
		{"what the model refuses, streamed", chatPath, chat(`,"n":1000,"stream":true`), nil, 400, "invalid_request_error", "", "", "n"},
		{"no prompt", "/v1/completions", `{"model":"gpt-4o"}`, nil, 400, "invalid_request_error", "prompt", "missing_required_parameter", "'prompt'"},
		{"an empty prompt", "/v1/completions", `{"model":"gpt-4o","prompt":""}`, nil, 400, "invalid_request_error", "prompt", "invalid_value", "'prompt'"},
		{"messages beside a prompt", "/v1/completions", `{"model":"gpt-4o","prompt":"x","messages":[]}`, nil, 400, "invalid_request_error", "messages", "unknown_parameter", "'messages'"},
		{"no input", "/v1/embeddings", `{"model":"gpt-4o"}`, nil, 400, "invalid_request_error", "input", "missing_required_parameter", "'input'"},
		{"embeddings of a number", "/v1/embeddings", `{"model":"gpt-4o","input":7}`, nil, 400, "invalid_request_error", "input", "invalid_type", "'input'"},
		{"a model that its target does not have", chatPath, `{"model":"gone","messages":[{"role":"user","content":"x"}]}`, nil, 503, "server_error", "", "attempts_spent", ""},
		{"embeddings of a model that makes none", "/v1/embeddings", `{"model":"tensors","input":"x"}`, nil, 400, "invalid_request_error", "", "unsupported_value", "The model cannot do what is asked: it does no embeddings."},
		{"tools of a model that calls none", chatPath, `{"model":"tensors","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}]}`, nil, 400, "invalid_request_error", "", "unsupported_value", "it calls no tools"},
		{"a response of the background that is not stored", "/v1/responses", `{"model":"gpt-4o","input":"x","background":true,"store":false}`, nil, 400, "invalid_request_error", "store", "invalid_value", "'store'"},
		{"a store that is no word", "/v1/responses", `{"model":"gpt-4o","input":"x","store":"no"}`, nil, 400, "invalid_request_error", "store", "invalid_type", "'store'"},
		{"a response to go on from", "/v1/responses", `{"model":"gpt-4o","input":"x","previous_response_id":"resp_1"}`, nil, 400, "invalid_request_error", "previous_response_id", "unsupported_parameter", "previous_response_id"},
		{"a conversation", "/v1/responses", `{"model":"gpt-4o","input":"x","conversation":"conv_1"}`, nil, 400, "invalid_request_error", "conversation", "unsupported_parameter", "conversation"},
		{"a tool that is built in", "/v1/responses", `{"model":"gpt-4o","input":"x","tools":[{"type":"web_search"}]}`, nil, 400, "invalid_request_error", "tools[0].type", "unsupported_parameter", "built-in"},
		{"a template", "/v1/responses", `{"model":"gpt-4o","input":"x","prompt":{"id":"pmpt_1"}}`, nil, 400, "invalid_request_error", "prompt", "unsupported_parameter", "template"},
		{"an item without a role", "/v1/responses", `{"model":"gpt-4o","input":[{"role":"user","content":"x"},{"type":"message","content":"x"}]}`, nil, 400, "invalid_request_error", "input[1].role", "missing_required_parameter", "input[1].role"},
		{"an item of an unknown role", "/v1/responses", `{"model":"gpt-4o","instructions":"i","input":[{"role":"user","content":"x"},{"role":"king","content":"x"}]}`, nil, 400, "invalid_request_error", "input[1].role", "invalid_value", "input[1].role"},
		{"a bound of a response", "/v1/responses", `{"model":"gpt-4o","input":"x","max_output_tokens":0}`, nil, 400, "invalid_request_error", "max_output_tokens", "integer_below_min_value", "max_output_tokens"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := w.post(t, c.path, c.body, c.header...)
			e := a.error(t)
			if a.status != c.status || e.Type != c.typ || text(e.Param) != c.param || text(e.Code) != c.code || !strings.Contains(e.Message, c.say) {
				t.Errorf("answered %d %s", a.status, a.body)
			}
			if got := a.header.Get("Content-Type"); got != "application/json" {
				t.Errorf("content type %q", got)
			}
		})
	}
	t.Run("a wrong method", func(t *testing.T) {
		t.Parallel()
		a := w.do(t, http.MethodGet, chatPath, "")
		if e := a.error(t); a.status != 405 || text(e.Code) != "method_not_supported" || a.header.Get("Allow") != "POST" {
			t.Errorf("answered %d %s", a.status, a.body)
		}
	})
	t.Run("a path of OpenAI's that is not here", func(t *testing.T) {
		t.Parallel()
		id := "resp_" + strings.Repeat("0", 32)
		for path, status := range map[string]int{
			"/v1/responses/compact": 404, "/v1/responses/input_tokens": 404, "/v1/audio/speech": 404, "/v1/responses/" + id: 405,
		} {
			a := w.post(t, path, `{}`)
			if e := a.error(t); a.status != status || e.Type != "invalid_request_error" || e.Message == "" {
				t.Errorf("%s answered %d %s", path, a.status, a.body)
			}
		}
	})
	t.Run("a key that is wrong for the list of models", func(t *testing.T) {
		t.Parallel()
		c := w.client(option.WithAPIKey("sk-nothing"))
		_, err := c.Models.List(t.Context())
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.StatusCode != http.StatusUnauthorized || e.Code != "invalid_api_key" || e.Type != "invalid_request_error" || !strings.Contains(e.Message, "key") {
			t.Errorf("the client reads %v", err)
		}
	})
	t.Run("a model that is not there", func(t *testing.T) {
		t.Parallel()
		a := w.do(t, http.MethodGet, "/v1/models/nothing", "")
		if e := a.error(t); a.status != 404 || text(e.Code) != "model_not_found" || text(e.Param) != "model" {
			t.Errorf("answered %d %s", a.status, a.body)
		}
	})
	t.Run("a response that is not there", func(t *testing.T) {
		t.Parallel()
		for _, id := range []string{"resp_1", "chatcmpl-" + strings.Repeat("0", 32), "resp_" + strings.Repeat("0", 32), "x"} {
			a := w.do(t, http.MethodGet, "/v1/responses/"+id, "")
			if e := a.error(t); a.status != 404 || !strings.Contains(e.Message, id) {
				t.Errorf("%s: answered %d %s", id, a.status, a.body)
			}
		}
	})
}

func TestAChatIsNoResponse(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	id := w.post(t, chatPath, helloBody).header.Get("X-Request-Id")
	a := w.do(t, http.MethodGet, "/v1/responses/resp_"+strings.ReplaceAll(id, "-", ""), "")
	a.error(t)
	if id == "" || a.status != 404 {
		t.Errorf("answered %d %s", a.status, a.body)
	}
}

func TestARateIsSaidAsOpenAIDoes(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	first := w.post(t, chatPath, helloBody, "Authorization", "Bearer "+slowKey)
	if first.status != 200 || first.header.Get("X-Ratelimit-Limit-Requests") != "1" || first.header.Get("X-Ratelimit-Remaining-Requests") != "0" {
		t.Errorf("answered %d %v", first.status, first.header)
	}
	a := w.post(t, chatPath, helloBody, "Authorization", "Bearer "+slowKey)
	if e := a.error(t); a.status != 429 || text(e.Code) != "rate_limit_exceeded" || a.header.Get("Retry-After") == "" || a.header.Get("X-Should-Retry") != "" {
		t.Errorf("answered %d %s %v", a.status, a.body, a.header)
	}
}

// TestAFailureIsNotSentAgain sees that a client does not repeat by itself what the chain has tried already.
func TestAFailureIsNotSentAgain(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	for range 16 {
		w.models <- func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusInternalServerError) }
	}
	a := w.post(t, chatPath, `{"model":"small","messages":[{"role":"user","content":"x"}]}`)
	if e := a.error(t); a.status != 503 || e.Type != "server_error" || a.header.Get("X-Should-Retry") != "false" || a.header.Get("X-Request-Id") == "" {
		t.Errorf("answered %d %s %v", a.status, a.body, a.header)
	}
}

func TestABusThatIsAwayIsATimeToRetry(t *testing.T) {
	t.Parallel()
	w := setup(t, true, func(c *chain.Config) { c.Bus = away{c.Bus} })
	for _, stream := range []string{"", `,"stream":true`} {
		a := w.post(t, chatPath, strings.TrimSuffix(helloBody, "}")+stream+"}")
		a.error(t)
		if a.status != 503 || a.header.Get("Retry-After") == "" || a.header.Get("X-Should-Retry") != "" {
			t.Errorf("answered %d %s %v", a.status, a.body, a.header)
		}
	}
}

type away struct{ hop.Bus }

func (away) Publish(context.Context, ...events.Event) error { return context.DeadlineExceeded }

func TestACallEndsWithItsClientsPatience(t *testing.T) {
	t.Parallel()
	w := setup(t, true) // nothing is ever called
	for _, body := range []string{helloBody, `{"model":"gpt-4o","input":"x"}`} {
		path := chatPath
		if strings.Contains(body, "input") {
			path = "/v1/responses"
		}
		a := w.post(t, path, body, "X-Stainless-Timeout", "0.2")
		if e := a.error(t); a.status != 504 || text(e.Code) != "timeout" || !strings.Contains(e.Message, "/v1/inferences/") || a.header.Get("X-Should-Retry") != "false" {
			t.Errorf("answered %d %s", a.status, a.body)
		}
	}
}

func TestADrainAnswersWhoWaits(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"", `,"stream":true`} {
		w := setup(t, true)
		time.AfterFunc(50*time.Millisecond, w.drain)
		a := w.post(t, chatPath, strings.TrimSuffix(helloBody, "}")+stream+"}")
		if e := a.error(t); a.status != 503 || text(e.Code) != "server_shutting_down" || a.header.Get("Retry-After") == "" {
			t.Errorf("answered %d %s", a.status, a.body)
		}
		id := a.header.Get("X-Request-Id")
		if st, err := w.store.Look(t.Context(), id); err != nil || st.Status() != events.StatusQueued {
			t.Errorf("the request is %v, %v: it should go on", st.Status(), err)
		}
	}
}

func TestWhoHangsUpCancelsOnlyWithTheWish(t *testing.T) {
	t.Parallel()
	for wish, want := range map[string]events.Status{"": events.StatusQueued, "true": events.StatusCanceled} {
		for _, stream := range []string{"", `,"stream":true`} {
			w := setup(t, true)
			ctx, hangUp := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+chatPath,
				strings.NewReader(strings.TrimSuffix(helloBody, "}")+stream+"}"))
			must(t, err)
			req.Header.Set("Authorization", "Bearer "+searchKey)
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Idempotency-Key", "mine")
			if wish != "" {
				req.Header.Set("Baton-Cancel-On-Disconnect", wish)
			}
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				if res, err := http.DefaultClient.Do(req); err == nil {
					res.Body.Close()
				}
			}()
			id := events.MessageID("search", idempotent("mine"))
			until(t, func() bool { _, err := w.store.Look(t.Context(), id); return err == nil })
			hangUp()
			<-gone
			if want == events.StatusCanceled {
				until(t, func() bool { st, err := w.store.Look(t.Context(), id); return err == nil && st.Status() == want })
				continue
			}
			w.close()
			if st, err := w.store.Look(t.Context(), id); err != nil || st.Status() != want {
				t.Errorf("the request is %v, %v", st.Status(), err)
			}
		}
	}
}

func TestAnIdempotencyKeyFindsTheSameAnswer(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	calls := 0
	w.models <- func(rw http.ResponseWriter, _ *http.Request) {
		calls++
		_, _ = rw.Write([]byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":"once"},"finish_reason":"stop"}]}`))
	}
	first := w.post(t, chatPath, helloBody, "Idempotency-Key", "k")
	again := w.post(t, chatPath, helloBody, "Idempotency-Key", "k")
	if first.status != 200 || first.body != again.body || !strings.Contains(first.body, "once") {
		t.Errorf("answered %s\nand %s", first.body, again.body)
	}
	streamed := w.post(t, chatPath, strings.TrimSuffix(helloBody, "}")+`,"stream":true}`, "Idempotency-Key", "k")
	if e := streamed.error(t); streamed.status != 422 || text(e.Code) != "idempotency_key_reused" {
		t.Errorf("answered %d %s", streamed.status, streamed.body)
	}
}

// until waits until what is asked holds.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatal("it never came about")
		}
		select {
		case <-t.Context().Done():
		case <-time.After(time.Millisecond):
		}
	}
}
