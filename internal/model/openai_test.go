package model_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/model/simulated"
)

func TestOpenAISends(t *testing.T) {
	t.Parallel()
	type sent struct {
		path, query string
		header      http.Header
		body        string
	}
	send := func(t *testing.T, change func(*model.Call)) sent {
		t.Helper()
		var got sent
		client, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = sent{r.Method + " " + r.URL.Path, r.URL.RawQuery, r.Header, string(body)}
			_, _ = io.WriteString(w, completion)
		})
		change(&call)
		if _, err := client.Call(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		return got
	}

	t.Run("a chat completion with the credential, the id and the trace", func(t *testing.T) {
		t.Parallel()
		got := send(t, func(c *model.Call) {
			c.Target.Key = "env:K"
			c.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
			c.TraceState = "a=1,b=2"
		})
		if got.path != "POST /v1/chat/completions" ||
			got.body != `{"model":"real","messages":[{"role":"user","content":"hello"}]}` {
			t.Errorf("got %s %s", got.path, got.body)
		}
		for name, want := range map[string]string{
			"Authorization": "Bearer key of env:K", "Content-Type": "application/json", "Idempotency-Key": "id-scheduled-1",
			"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Tracestate": "a=1,b=2",
			"User-Agent": "baton",
		} {
			if v := got.header.Get(name); v != want {
				t.Errorf("%s is %q, want %q", name, v, want)
			}
		}
	})
	t.Run("no header for what there is not", func(t *testing.T) {
		t.Parallel()
		got := send(t, func(c *model.Call) { c.ID = "" })
		for _, name := range []string{"Authorization", "Idempotency-Key", "Traceparent", "Tracestate"} {
			if v, ok := got.header[name]; ok {
				t.Errorf("%s is %q", name, v)
			}
		}
	})
	t.Run("no header for an attribute that cannot be one", func(t *testing.T) {
		t.Parallel()
		got := send(t, func(c *model.Call) { c.TraceParent, c.TraceState = "a\r\nX-Evil: 1", "b" })
		if got.header.Get("Traceparent") != "" || got.header.Get("Tracestate") != "" || got.header.Get("X-Evil") != "" {
			t.Errorf("got %v", got.header)
		}
	})
	t.Run("the URL's query and its credential where the target has them", func(t *testing.T) {
		t.Parallel()
		got := send(t, func(c *model.Call) {
			c.Target.URL = strings.Replace(c.Target.URL, "http://", "http://user:pass@", 1) + "/?api-version=1"
		})
		if got.path != "POST /v1/chat/completions" || got.query != "api-version=1" ||
			got.header.Get("Authorization") != "Basic dXNlcjpwYXNz" {
			t.Errorf("got %s?%s %v", got.path, got.query, got.header)
		}
	})
}

func TestOpenAIAnswers(t *testing.T) {
	t.Parallel()
	t.Run("with what the simulated server says", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, simulated.New(catalog.Simulate{Tokens: 5, Seed: 1}).ServeHTTP)
		a, err := client.Call(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		if len(strings.Fields(a.Output)) != 5 || a.FinishReason != "stop" || a.Usage == nil ||
			!reflect.DeepEqual(*a.Usage, events.Usage{PromptTokens: 1, CompletionTokens: 5, TotalTokens: 6}) {
			t.Errorf("got %+v", a)
		}
		if want := `{"role":"assistant","content":"` + a.Output + `","refusal":null}`; string(a.Message) != want {
			t.Errorf("message %s, want %s", a.Message, want)
		}
	})
	t.Run("with what came compressed", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, completion)
			_ = z.Close()
		})
		if a, err := client.Call(t.Context(), call); err != nil || a.Output != "yes" {
			t.Errorf("got %+v, %v", a, err)
		}
	})
	t.Run("with an answer of exactly the limit", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, completion+strings.Repeat(" ", 64<<10-len(completion)))
		})
		if a, err := client.Call(t.Context(), call); err != nil || a.Output != "yes" {
			t.Errorf("got %+v, %v", a, err)
		}
	})
	t.Run("through a proxy where there is one", func(t *testing.T) {
		t.Parallel()
		_, via := setup(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Host != "model.invalid" {
				t.Errorf("the proxy was asked for host %q", r.URL.Host)
			}
			_, _ = io.WriteString(w, completion)
		})
		client := model.NewOpenAI(model.OpenAIConfig{Proxy: proxy(via.Target.URL)})
		defer client.Close()
		via.Target.URL = "http://model.invalid/v1"
		if a, err := client.Call(t.Context(), via); err != nil || a.Output != "yes" {
			t.Errorf("got %+v, %v", a, err)
		}
	})
}

func TestClients(t *testing.T) {
	t.Parallel()
	client, call := setup(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, completion) })
	clients := model.Clients{"openai": client}

	t.Run("a target is called by the client of its api", func(t *testing.T) {
		t.Parallel()
		if a, err := clients.Call(t.Context(), call); err != nil || a.Output != "yes" {
			t.Errorf("got %+v, %v", a, err)
		}
	})
	t.Run("a target of another api is as good as gone", func(t *testing.T) {
		t.Parallel()
		other := *call.Target
		other.API = "oip-grpc"
		_, err := clients.Call(t.Context(), model.Call{Target: &other})
		wantCode(t, err, events.CodeTargetGone)
	})
}
