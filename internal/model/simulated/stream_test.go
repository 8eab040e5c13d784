package simulated_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
)

// clocked writes down when each part of an answer was flushed.
type clocked struct {
	*httptest.ResponseRecorder

	began  time.Time
	events []string
	at     []time.Duration
}

func (c *clocked) Flush() { c.note() }

// note writes down what came since the last note.
func (c *clocked) note() {
	for event := range strings.SplitSeq(c.Body.String(), "\n\n") {
		if event != "" {
			c.events = append(c.events, event)
			c.at = append(c.at, time.Since(c.began))
		}
	}
	c.Body.Reset()
}

// streamed sends a request and returns its events and when each came. It is for virtual time.
func streamed(s *simulated.Server, path, body string) *clocked {
	c := &clocked{ResponseRecorder: httptest.NewRecorder(), began: time.Now()}
	s.ServeHTTP(c, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	c.note()
	return c
}

func TestStreams(t *testing.T) {
	t.Parallel()
	const prompt = `"messages":[{"role":"user","content":"hi"}]`
	slow := catalog.Simulate{P50: time.Second, Tokens: 4}

	t.Run("give the first token after two fifths of the time, and the others evenly over the rest", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			for path, body := range map[string]string{
				"/v1/chat/completions": `{"model":"m","stream":true,` + prompt + `}`,
				"/v1/completions":      `{"model":"m","stream":true,"prompt":"hi"}`,
				"/v1/responses":        `{"model":"m","stream":true,"input":"hi"}`,
			} {
				c := streamed(simulated.New(slow), path, body)
				var tokens []time.Duration
				for i, e := range c.events {
					if strings.Contains(e, `"content":"`) && !strings.Contains(e, `"content":""`) || strings.Contains(e, `"text":"`) &&
						!strings.Contains(e, `"text":""`) && !strings.Contains(e, "response.") || strings.Contains(e, "output_text.delta") {
						tokens = append(tokens, c.at[i].Round(time.Millisecond))
					}
				}
				want := []time.Duration{400 * time.Millisecond, 600 * time.Millisecond, 800 * time.Millisecond, time.Second}
				if len(tokens) != 4 {
					t.Fatalf("%s: %d tokens in %q", path, len(tokens), c.events)
				}
				for i := range want {
					if tokens[i] != want[i] {
						t.Errorf("%s: token %d came after %v, want %v", path, i, tokens[i], want[i])
					}
				}
			}
		})
	})
	t.Run("take as long as the whole answer does", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			took := func(body string) time.Duration {
				s := simulated.New(catalog.Simulate{P50: time.Second, P99: 5 * time.Second, Tokens: 4, Seed: 9})
				began := time.Now()
				ask(s, http.MethodPost, path, body)
				return time.Since(began).Round(time.Millisecond)
			}
			if whole, stream := took(`{"model":"m",`+prompt+`}`), took(`{"model":"m","stream":true,`+prompt+`}`); whole != stream {
				t.Errorf("the whole answer took %v, the stream %v", whole, stream)
			}
		})
	})
	t.Run("end when nobody listens any more", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			for path, body := range map[string]string{
				"/v1/chat/completions": `{"model":"m","stream":true,` + prompt + `}`,
				"/v1/responses":        `{"model":"m","stream":true,"input":"hi"}`,
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				began := time.Now()
				w := httptest.NewRecorder()
				simulated.New(slow).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body)))
				cancel()
				if took := time.Since(began); took != 500*time.Millisecond || strings.Contains(w.Body.String(), "[DONE]") {
					t.Errorf("%s: took %v, wrote %q", path, took, w.Body)
				}
			}
		})
	})
	t.Run("of the arguments of a tool say them in pieces", func(t *testing.T) {
		t.Parallel()
		s := simulated.New(catalog.Simulate{Tokens: 4})
		body := `{"model":"m",` + prompt + `,"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"city":{"type":"string"}}}}}],`
		var whole struct {
			Choices []struct {
				Message struct {
					ToolCalls []struct {
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal(ask(s, http.MethodPost, path, body+`"stream":false}`).Body.Bytes(), &whole); err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		pieces := 0
		for line := range strings.Lines(ask(s, http.MethodPost, path, body+`"stream":true}`).Body.String()) {
			var chunk struct {
				Choices []struct {
					Delta struct {
						ToolCalls []struct {
							Function struct{ Arguments string }
						} `json:"tool_calls"`
					}
				}
			}
			if json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &chunk) != nil || len(chunk.Choices) == 0 {
				continue
			}
			for _, c := range chunk.Choices[0].Delta.ToolCalls {
				said.WriteString(c.Function.Arguments)
				pieces++
			}
		}
		call := whole.Choices[0].Message.ToolCalls[0].Function
		if call.Name != "f" || !json.Valid([]byte(call.Arguments)) || said.String() != call.Arguments || pieces < 3 {
			t.Errorf("%d pieces of %q, want %q", pieces, &said, call.Arguments)
		}
	})
}
