package simulated_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const path = "/v1/chat/completions"

// ask sends one request to the handler, without a network.
func ask(s *simulated.Server, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

type completion struct {
	ID, Object, Model string
	Created           int64
	Choices           []struct {
		Index        int
		Message      struct{ Role, Content string }
		Delta        struct{ Role, Content string }
		FinishReason *string `json:"finish_reason"`
	}
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
	}
}

func decode(t *testing.T, body string) completion {
	t.Helper()
	var c completion
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return c
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	const body = `{"model":"m","messages":[{"role":"system","content":"be\nbrief"},{"role":"user","content":"hello  you there"}]}`

	t.Run("has as many words as told, and counts them", func(t *testing.T) {
		t.Parallel()
		w := ask(simulated.New(catalog.Simulate{Tokens: 9, Seed: 3}), http.MethodPost, path, body)
		c := decode(t, w.Body.String())
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || c.Object != "chat.completion" ||
			c.Model != "m" || c.Created == 0 || len(c.Choices) != 1 {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		ch := c.Choices[0]
		if ch.Message.Role != "assistant" || len(strings.Fields(ch.Message.Content)) != 9 || *ch.FinishReason != "stop" {
			t.Errorf("got %+v", ch)
		}
		if c.Usage == nil || c.Usage.Prompt != 5 || c.Usage.Completion != 9 || c.Usage.Total != 14 {
			t.Errorf("got %+v", c.Usage)
		}
	})
	t.Run("ends at the tokens asked for", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"max_tokens", "max_completion_tokens"} {
			w := ask(simulated.New(catalog.Simulate{Tokens: 9}), http.MethodPost, path,
				strings.Replace(body, `{`, `{"`+name+`":2,`, 1))
			ch := decode(t, w.Body.String()).Choices[0]
			if len(strings.Fields(ch.Message.Content)) != 2 || *ch.FinishReason != "length" {
				t.Errorf("got %+v", ch)
			}
		}
	})
	t.Run("depends on seed and prompt only", func(t *testing.T) {
		t.Parallel()
		text := func(seed uint64, body string) string {
			s := simulated.New(catalog.Simulate{Tokens: 20, Seed: seed})
			ask(s, http.MethodPost, path, body)
			return decode(t, ask(s, http.MethodPost, path, body).Body.String()).Choices[0].Message.Content
		}
		other := strings.Replace(body, "hello", "goodbye", 1)
		first := text(1, body)
		if again := text(1, body); again != first {
			t.Errorf("the same seed and prompt have the answers %q and %q", first, again)
		}
		if first == text(2, body) || first == text(1, other) {
			t.Error("another seed or another prompt has the same answer")
		}
	})
	t.Run("streams the same words, then usage if asked for, then DONE", func(t *testing.T) {
		t.Parallel()
		s := simulated.New(catalog.Simulate{Tokens: 5, Seed: 3})
		whole := decode(t, ask(s, http.MethodPost, path, body).Body.String()).Choices[0].Message.Content
		w := ask(s, http.MethodPost, path,
			strings.Replace(body, `{`, `{"stream":true,"stream_options":{"include_usage":true},`, 1))
		if got := w.Header().Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("content type %q", got)
		}
		var text strings.Builder
		var finish, last string
		var usage bool
		for lines := bufio.NewScanner(w.Body); lines.Scan(); {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			if last = data; data == "[DONE]" {
				continue
			}
			c := decode(t, data)
			if c.Object != "chat.completion.chunk" {
				t.Errorf("got %s", data)
			}
			for _, ch := range c.Choices {
				text.WriteString(ch.Delta.Content)
				if ch.FinishReason != nil {
					finish = *ch.FinishReason
				}
			}
			usage = usage || c.Usage != nil && c.Usage.Total == 10
		}
		if text.String() != whole || finish != "stop" || !usage || last != "[DONE]" {
			t.Errorf("text %q want %q, finish %q, usage %v, last %q", &text, whole, finish, usage, last)
		}
	})
}

func TestErrorRate(t *testing.T) {
	t.Parallel()
	const n = 4000
	run := func(seed uint64) (codes []int) {
		s := simulated.New(catalog.Simulate{ErrorRate: 0.25, Seed: seed})
		for range n {
			codes = append(codes, ask(s, "POST", path, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`).Code)
		}
		return codes
	}
	first, again := run(1), run(1)
	failed := 0
	for i, c := range first {
		if c != again[i] {
			t.Fatalf("request %d is answered %d, and %d under the same seed", i, c, again[i])
		}
		if c == 503 {
			failed++
		}
	}
	// Decided by the seed: this passes always or never.
	if failed < n*23/100 || failed > n*27/100 {
		t.Errorf("%d of %d answered 503, want a quarter", failed, n)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]*simulated.Server{
		`"id":"m","object":"model"`: simulated.New(catalog.Simulate{}, "m"),
		`"id":"simulated"`:          simulated.New(catalog.Simulate{}),
	} {
		if w := ask(s, "GET", "/v1/models", ""); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	}
	if w := ask(simulated.New(catalog.Simulate{}), "GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestLatency(t *testing.T) {
	t.Run("is the same for a seed and order, and takes its time", func(t *testing.T) {
		run := func() (took []time.Duration) {
			synctest.Test(t, func(*testing.T) {
				s := simulated.New(catalog.Simulate{P50: 100 * time.Millisecond, P99: time.Second, Seed: 5})
				for range 5 {
					start := time.Now()
					ask(s, "POST", path, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
					took = append(took, time.Since(start))
				}
			})
			return took
		}
		first, again := run(), run()
		for i, d := range first {
			if d != again[i] || d < time.Millisecond {
				t.Errorf("request %d took %v, and %v under the same seed", i, d, again[i])
			}
		}
	})
	t.Run("ends when the client is gone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := simulated.New(catalog.Simulate{P50: time.Minute})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "POST", path,
				strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`)))
			if took := time.Since(start); took != time.Second {
				t.Errorf("took %v", took)
			}
		})
	})
}

func FuzzRequest(f *testing.F) {
	for _, body := range []string{
		`{"model":"m","messages":[{"role":"user","content":"hi\n\"you\""}],"temperature":1,"max_tokens":3}`,
		`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a b"}]}],"stream":true,"stream_options":{"include_usage":true}}`,
		`{"model":1}`, `{"messages":"x"}`, `{"model":"m","messages":[1]}`, `{`, ``, `null`, `[]`,
	} {
		f.Add([]byte(body))
	}
	s := simulated.New(catalog.Simulate{Tokens: 3})
	f.Add([]byte(`{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":"data:;base64,AAAA"}]}],"prompt":[[1]],"stream":true}`))
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"a"}],"input":"a","prompt":"a","tools":[{"type":"function","name":"f","function":{"name":"f"}}],"text":{"format":{"type":"json_object"}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{path, "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/batches"} {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(string(body))))
			switch {
			case w.Code != 200 && (w.Code < 400 || w.Code > 499):
				t.Errorf("%s: status %d", path, w.Code)
			case w.Header().Get("Content-Type") == "text/event-stream":
				if !strings.HasSuffix(w.Body.String(), "\n\n") {
					t.Errorf("%s: the stream ends with %q", path, w.Body)
				}
			case !json.Valid(w.Body.Bytes()):
				t.Errorf("%s: no JSON: %q", path, w.Body)
			}
		}
	})
}

// nowhere drops a response, so that the benchmark counts the server's work only.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

func BenchmarkCompletion(b *testing.B) {
	s := simulated.New(catalog.Simulate{Tokens: 64, Seed: 1})
	body := `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("some words ", 20) + `"}],"temperature":0.5}`
	w := nowhere{http.Header{}}
	r := httptest.NewRequest(http.MethodPost, path, http.NoBody)
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(strings.NewReader(body))
		s.ServeHTTP(w, r)
	}
}
