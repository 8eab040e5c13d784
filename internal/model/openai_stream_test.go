package model_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/model"
)

// stream writes each text as an event of a stream, at once.
func stream(w http.ResponseWriter, data ...string) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	for _, d := range data {
		_, _ = fmt.Fprintf(w, "data: %s\n\n", d)
		_ = http.NewResponseController(w).Flush()
	}
}

// said is a chunk in which choice 0 says the text.
func said(text string) string {
	return `{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":` + asJSON(text) + `},"logprobs":null,"finish_reason":null}],"usage":null}`
}

const (
	role  = `{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}]}`
	stop  = `{"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}`
	spent = `{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"completion_tokens_details":{"reasoning_tokens":1}}}`
	done  = "[DONE]"
)

// follow makes the call of a server in pieces, and returns what the pieces said.
func follow(t *testing.T, h http.HandlerFunc, change ...func(*model.Call)) (text string, pieces int, _ model.Answer, _ error) {
	t.Helper()
	client, call := setup(t, h)
	call.Delta = func(d model.Delta) {
		text += d.Text
		pieces++
		if !json.Valid(d.Choices) {
			t.Errorf("the choices of a piece are %q", d.Choices)
		}
	}
	for _, c := range change {
		c(&call)
	}
	answer, err := client.Call(t.Context(), call)
	if err == nil && !strings.HasPrefix(answer.Output, text) {
		t.Errorf("the pieces said %q, which is not the start of %q", text, answer.Output)
	}
	return text, pieces, answer, err
}

func TestOpenAIFollowsAStream(t *testing.T) {
	t.Parallel()
	t.Run("that it asks for with its usage", func(t *testing.T) {
		t.Parallel()
		var body string
		_, _, a, err := follow(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			body = string(b)
			if r.Header.Get("Accept-Encoding") != "identity" {
				t.Error("it may be compressed, which holds pieces back")
			}
			stream(w, role, said("yes"), said(", é <no>"), stop, spent, done)
		})
		if err != nil {
			t.Fatal(err)
		}
		want := `{"model":"real","messages":[{"role":"user","content":"hello"}],"stream":true,"stream_options":{"include_usage":true}}`
		if body != want {
			t.Errorf("asked %s, want %s", body, want)
		}
		if got, want := string(a.Message), `{"role":"assistant","content":"yes, é <no>","refusal":null}`; got != want {
			t.Errorf("message %s, want %s", got, want)
		}
		if a.Output != "yes, é <no>" || a.FinishReason != "stop" || a.Choices != nil || a.Usage == nil || a.Usage.TotalTokens != 5 ||
			string(a.Usage.CompletionDetails) != `{"reasoning_tokens":1}` {
			t.Errorf("got %+v with usage %+v", a, a.Usage)
		}
	})
	t.Run("and hands on each piece before the next is there", func(t *testing.T) {
		t.Parallel()
		heard := make(chan string)
		client, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
			for _, c := range []string{"a", "b"} {
				stream(w, said(c))
				select {
				case got := <-heard:
					if got != c {
						t.Errorf("heard %q, want %q", got, c)
					}
				case <-r.Context().Done():
				}
			}
			stream(w, stop, done)
		})
		call.Delta = func(d model.Delta) {
			if d.Text != "" {
				heard <- d.Text
			}
		}
		if a, err := client.Call(t.Context(), call); err != nil || a.Output != "ab" {
			t.Errorf("got %+v, %v", a, err)
		}
	})
	t.Run("whatever its lines look like", func(t *testing.T) {
		t.Parallel()
		text, pieces, a, err := follow(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "\uFEFF: keep-alive\r\n\r\n"+
				"event: message\r\nid: 1\r\nretry: 5\r\ndata:"+said("a")+"\r\n\r\n"+
				"\n\n:\n\ndata: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"b\"}}]}\n\n"+
				"id: 2\n\nnonsense: 1\rdata: "+said("c")+"\r\r"+
				"data: "+stop+"\n\ndata:[DONE]")
		})
		if err != nil || text != "abc" || a.Output != "abc" || pieces != 4 {
			t.Errorf("got %d pieces %q, %+v, %v", pieces, text, a, err)
		}
	})
	t.Run("of tool calls", func(t *testing.T) {
		t.Parallel()
		call := func(s string) string {
			return `{"choices":[{"index":0,"delta":{"tool_calls":[` + s + `]},"finish_reason":null}]}`
		}
		_, pieces, a, err := follow(t, func(w http.ResponseWriter, _ *http.Request) {
			stream(w, role,
				call(`{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}`),
				call(`{"index":0,"function":{"arguments":"{\"a\":"}}`),
				call(`{"index":1,"id":"c2","type":"function","function":{"name":"g","arguments":""}},{"index":0,"function":{"arguments":"1}"}}`),
				call(`{"index":1,"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}`), // repeats itself
				`{"choices":[{"index":0,"delta":{"content":null},"finish_reason":"tool_calls"}]}`, done)
		})
		want := `{"role":"assistant","content":null,"refusal":null,"tool_calls":[` +
			`{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},` +
			`{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]}`
		if err != nil || string(a.Message) != want || a.FinishReason != "tool_calls" || pieces != 6 {
			t.Errorf("got %s, %+v, %v", a.Message, a, err)
		}
	})
	t.Run("of several choices with log probabilities", func(t *testing.T) {
		t.Parallel()
		text, _, a, err := follow(t, func(w http.ResponseWriter, _ *http.Request) {
			stream(w,
				`{"choices":[{"index":1,"delta":{"role":"assistant","content":"x"},"logprobs":{"content":[{"token":"x","logprob":-1}],"refusal":null}}]}`,
				`{"choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"logprobs":{"content":[{"token":"a","logprob":-2}],"refusal":null}}]}`,
				`{"choices":[{"index":1,"delta":{"content":"y"},"logprobs":{"content":[{"token":"y","logprob":-3}]},"finish_reason":"length"}]}`,
				`{"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop","stop_reason":7}]}`, done)
		}, func(c *model.Call) { c.Request.Parameters = map[string]json.RawMessage{"n": []byte("2")} })
		want := `[{"index":0,"message":{"role":"assistant","content":"a","refusal":null},` +
			`"logprobs":{"content":[{"token":"a","logprob":-2}],"refusal":null},"finish_reason":"stop","stop_reason":7},` +
			`{"index":1,"message":{"role":"assistant","content":"xy","refusal":null},` +
			`"logprobs":{"content":[{"token":"x","logprob":-1},{"token":"y","logprob":-3}],"refusal":null},"finish_reason":"length"}]`
		if err != nil || string(a.Choices) != want || text != "a" || a.FinishReason != "stop" {
			t.Errorf("got %q, %s\nwant %s, %v", text, a.Choices, want, err)
		}
	})
	t.Run("of a text completion", func(t *testing.T) {
		t.Parallel()
		text, _, a, err := follow(t, func(w http.ResponseWriter, _ *http.Request) {
			stream(w, `{"choices":[{"text":"a","index":0,"logprobs":null,"finish_reason":null}]}`,
				`{"choices":[{"text":" b","index":0,"logprobs":null,"finish_reason":"length"}]}`, spent, done)
		}, completes)
		if err != nil || text != "a b" || a.Output != "a b" || a.FinishReason != "length" || a.Message != nil || a.Usage == nil ||
			string(a.Choices) != `[{"text":"a b","index":0,"logprobs":null,"finish_reason":"length"}]` {
			t.Errorf("got %q, %+v, %s, %v", text, a, a.Choices, err)
		}
	})
	t.Run("and asks for none of the best of several, nor of embeddings", func(t *testing.T) {
		t.Parallel()
		whole := func(answer string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if body, _ := io.ReadAll(r.Body); strings.Contains(string(body), "stream") {
					t.Errorf("asked for %s", body)
				}
				_, _ = io.WriteString(w, answer)
			}
		}
		text, pieces, _, err := follow(t, whole(`{"choices":[{"text":"a","index":0,"finish_reason":"stop"}]}`), completes,
			func(c *model.Call) { c.Request.Parameters = map[string]json.RawMessage{"best_of": []byte("3")} })
		if err != nil || text != "a" || pieces != 1 {
			t.Errorf("got %d pieces, %q, %v", pieces, text, err)
		}
		_, pieces, a, err := follow(t, whole(`{"data":[{"index":0,"embedding":[0.5]}]}`), embeds)
		if err != nil || pieces != 0 || string(a.Embeddings) != `[{"index":0,"embedding":[0.5]}]` {
			t.Errorf("got %d pieces, %+v, %v", pieces, a, err)
		}
	})
	t.Run("that is none, as one piece", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"choices":[{"index":0,"message":{"role":"assistant","content":"yes",
				"tool_calls":[{"id":"c","function":{}}]},"finish_reason":"stop"}]}`)
		})
		var got []model.Delta
		call.Delta = func(d model.Delta) { got = append(got, d) }
		a, err := client.Call(t.Context(), call)
		want := `[{"index":0,"delta":{"role":"assistant","content":"yes","tool_calls":[{"index":0,"id":"c","function":{}}]},"finish_reason":"stop"}]`
		if err != nil || a.Output != "yes" || len(got) != 1 || got[0].Text != "yes" || string(got[0].Choices) != want {
			t.Errorf("got %s, %+v, %v", got, a, err)
		}
	})
	t.Run("that nobody asked for", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, func(w http.ResponseWriter, _ *http.Request) { stream(w, role, said("yes"), stop, done) })
		if a, err := client.Call(t.Context(), call); err != nil || a.Output != "yes" {
			t.Errorf("got %+v, %v", a, err)
		}
	})
	t.Run("whose end is cut off after all was said", func(t *testing.T) {
		t.Parallel()
		for name, end := range map[string]func(http.ResponseWriter){
			"it just ends":            func(http.ResponseWriter) {},
			"the connection breaks":   func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
			"it says done, no reason": func(w http.ResponseWriter) { stream(w, done) },
		} {
			_, _, a, err := follow(t, func(w http.ResponseWriter, _ *http.Request) {
				stream(w, role, said("yes"))
				if !strings.HasPrefix(name, "it says") {
					stream(w, stop)
				}
				end(w)
			})
			if err != nil || a.Output != "yes" {
				t.Errorf("%s: got %+v, %v", name, a, err)
			}
		}
	})
	t.Run("that stays open after its end, but not for long", func(t *testing.T) {
		t.Parallel()
		_, _, a, err := follow(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			stream(w, said("yes"), stop, done)
			<-r.Context().Done()
		})
		if err != nil || a.Output != "yes" {
			t.Errorf("got %+v, %v", a, err)
		}
	})
	t.Run("over connections that are used again", func(t *testing.T) {
		t.Parallel()
		var from atomic.Value
		client, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
			if before := from.Swap(r.RemoteAddr); before != nil && before != r.RemoteAddr {
				t.Error("it connects anew for each call")
			}
			stream(w, said("yes"), stop, done)
		})
		call.Delta = func(model.Delta) {}
		for range 3 {
			if _, err := client.Call(t.Context(), call); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func completes(c *model.Call) {
	c.Request = events.Request{ModelID: "m", Operation: events.TextCompletion, Input: []byte(`"x"`)}
}

func embeds(c *model.Call) {
	c.Request = events.Request{ModelID: "m", Operation: events.Embeddings, Input: []byte(`"x"`)}
}
