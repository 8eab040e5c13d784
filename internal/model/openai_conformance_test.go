package model_test

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/model/modeltest"
)

func TestOpenAIKeepsTheSuite(t *testing.T) {
	t.Parallel()
	modeltest.Run(t, modeltest.Kind{
		Target: catalog.Target{API: catalog.OpenAI},
		URL:    func(address string) string { return "http://" + address + "/v1" },
		Serve: func(t *testing.T, play func(context.Context, modeltest.Seen) modeltest.Script) string {
			srv := httptest.NewUnstartedServer(openAIServer{play})
			srv.Config.ErrorLog = log.New(io.Discard, "", 0)
			srv.Start()
			t.Cleanup(srv.Close)
			return srv.Listener.Addr().String()
		},
		Client: func(t *testing.T, credential string) model.Client {
			key := func(catalog.Secret) (string, error) { return credential, nil }
			c := model.NewOpenAI(model.OpenAIConfig{Key: key, MaxAnswer: modeltest.MaxAnswer})
			t.Cleanup(c.Close)
			return c
		},
		Refusals: openAIRefusals(),
		Pieces:   true,
		Usage:    true,
	})
}

func openAIRefusals() []modeltest.Refusal {
	var all []modeltest.Refusal
	for status, code := range map[int]string{
		400: events.CodeInvalidRequest, 401: events.CodeUnauthorized, 402: events.CodeQuotaExhausted, 403: events.CodeUnauthorized,
		404: events.CodeUnknownModel, 408: events.CodeTimeout, 413: events.CodeInvalidRequest, 422: events.CodeInvalidRequest,
		429: events.CodeRateLimited, 500: events.CodeUnavailable, 502: events.CodeUnavailable, 503: events.CodeUnavailable,
		504: events.CodeTimeout, 529: events.CodeUnavailable,
	} {
		retry := code == events.CodeRateLimited || code == events.CodeUnavailable || code == events.CodeQuotaExhausted
		all = append(all, modeltest.Refusal{Name: "status " + strconv.Itoa(status), Do: status, Code: code, Retry: retry})
	}
	return all
}

// openAIServer speaks OpenAI's chat completions as its scripts say.
type openAIServer struct {
	play func(context.Context, modeltest.Seen) modeltest.Script
}

func (s openAIServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Stream   bool
		Messages []struct{ Content string }
	}
	if r.URL.Path != "/v1/chat/completions" || json.NewDecoder(r.Body).Decode(&in) != nil || len(in.Messages) != 1 {
		http.Error(w, "no chat completion", http.StatusBadRequest)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	script := s.play(r.Context(), modeltest.Seen{
		Prompt: in.Messages[0].Content, Header: r.Header.Get, Credential: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
	})
	switch {
	case script.Refuse != nil:
		if script.RetryIn > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(script.RetryIn/time.Second)))
		}
		w.WriteHeader(script.Refuse.(int))
		writeJSON(w, map[string]any{"error": map[string]any{"message": script.Words, "type": nil, "code": nil}})
	case in.Stream:
		s.stream(w, r, script)
	default:
		s.whole(w, r, script)
	}
}

func (openAIServer) whole(w http.ResponseWriter, r *http.Request, script modeltest.Script) {
	for n := range len(script.Pieces) + 1 {
		script.Step(n)
		if r.Context().Err() != nil {
			return
		}
	}
	writeJSON(w, map[string]any{
		"choices": []any{map[string]any{
			"index": 0, "finish_reason": "stop",
			"message": map[string]any{"role": "assistant", "content": strings.Join(script.Pieces, ""), "refusal": nil},
		}},
		"usage": script.Usage,
	})
}

func (openAIServer) stream(w http.ResponseWriter, r *http.Request, script modeltest.Script) {
	w.Header().Set("Content-Type", "text/event-stream")
	say := func(delta any, finish any) {
		_, _ = io.WriteString(w, "data: ")
		writeJSON(w, map[string]any{
			"object": "chat.completion.chunk", "choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}},
		})
		_, _ = io.WriteString(w, "\n")
		_ = http.NewResponseController(w).Flush()
	}
	for n, piece := range script.Pieces {
		script.Step(n)
		if r.Context().Err() != nil {
			return
		}
		if n == 0 {
			say(map[string]any{"role": "assistant", "content": ""}, nil)
		}
		say(map[string]any{"content": piece}, nil)
	}
	script.Step(len(script.Pieces))
	if r.Context().Err() != nil {
		return
	}
	say(map[string]any{}, "stop")
	if script.Usage != nil {
		_, _ = io.WriteString(w, "data: ")
		writeJSON(w, map[string]any{"choices": []any{}, "usage": script.Usage})
		_, _ = io.WriteString(w, "\n")
	}
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// writeJSON writes v and a newline; a client that is gone does not want it.
func writeJSON(w io.Writer, v any) { _ = json.NewEncoder(w).Encode(v) } //nolint:errchkjson // of text and numbers
