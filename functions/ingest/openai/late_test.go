package openai_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// late answers as h does, later than the chain's server would let an answer be written that nobody waits for.
func late(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(4 * writeTimeout):
			h(w, r)
		case <-r.Context().Done():
		}
	}
}

func TestAnAnswerArrivesHoweverLongItIsWaitedFor(t *testing.T) {
	t.Parallel()
	const chat = `{"model":"small","messages":[{"role":"user","content":"Hi."}]}`
	streamed := strings.Replace(chat, `{`, `{"stream":true,`, 1)
	whole := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":"Waited for."},"finish_reason":"stop"}]}`))
	}
	refused := func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error":{"message":"no"}}`, http.StatusBadRequest)
	}
	for name, tc := range map[string]struct {
		model  http.HandlerFunc
		body   string
		status int
		want   string
	}{
		"an answer": {whole, chat, http.StatusOK, "Waited for."},
		"a stream":  {whole, streamed, http.StatusOK, "Waited for."},
		"a failure": {refused, chat, http.StatusBadRequest, `"error"`},
		"a stream that fails before it has begun": {refused, streamed, http.StatusBadRequest, `"error"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, false)
			w.models <- late(tc.model)
			a := w.post(t, "/v1/chat/completions", tc.body)
			if a.status != tc.status || !strings.Contains(a.body, tc.want) {
				t.Errorf("answered %d %s", a.status, a.body)
			}
		})
	}
}
