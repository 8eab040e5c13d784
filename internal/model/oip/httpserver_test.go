package oip

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/internal/model/modeltest"
)

// httpServer is a model server over HTTP that does what it is told.
type httpServer struct {
	play          func(context.Context, modeltest.Seen) modeltest.Script
	input, output string
	ready         http.HandlerFunc
	request       func(*http.Request, []byte)
}

func (s *httpServer) serve(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/models/{model}/infer", s.infer)
	mux.HandleFunc("POST /v2/models/{model}/versions/{version}/infer", s.infer)
	mux.HandleFunc("POST /v2/models/{model}/generate_stream", s.generate)
	mux.HandleFunc("GET /v2/models/{model}/ready", func(w http.ResponseWriter, r *http.Request) { s.ready(w, r) })
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

func (s *httpServer) script(r *http.Request, body []byte, prompt string) modeltest.Script {
	if s.request != nil {
		s.request(r, body)
	}
	return s.play(r.Context(), modeltest.Seen{
		Prompt: prompt, Header: r.Header.Get, Credential: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
	})
}

func (s *httpServer) refuse(w http.ResponseWriter, script modeltest.Script) {
	if script.RetryIn > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(script.RetryIn/time.Second)))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(script.Refuse.(int))
	_, _ = w.Write(encode(map[string]string{"error": script.Words}))
}

func (s *httpServer) infer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var in inferRequest
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	prompt := ""
	for _, i := range in.Inputs {
		if i.Name == s.input {
			_ = json.Unmarshal(first(i.Data), &prompt)
		}
	}
	script := s.script(r, body, prompt)
	if script.Refuse != nil {
		s.refuse(w, script)
		return
	}
	for n := range len(script.Pieces) + 1 {
		script.Step(n)
		if r.Context().Err() != nil {
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encode(inferResponse{
		ModelName: r.PathValue("model"), ModelVersion: "1", ID: in.ID,
		Outputs: []responseOutput{{
			Name: s.output, Shape: one, Datatype: "BYTES", Data: encode([]string{strings.Join(script.Pieces, "")}),
		}},
	}))
}

func (s *httpServer) generate(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	prompt, _ := in[s.input].(string)
	script := s.script(r, body, prompt)
	if script.Refuse != nil {
		s.refuse(w, script)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	for n, piece := range script.Pieces {
		script.Step(n)
		if r.Context().Err() != nil {
			return
		}
		reason, usage := "None", ""
		last := n == len(script.Pieces)-1
		if last {
			reason = "stop"
		}
		if u := script.Usage; u != nil {
			tokens := 0
			if last {
				tokens = u.CompletionTokens
			}
			usage = fmt.Sprintf(`"num_input_tokens":%d,"num_output_tokens":%d,`, u.PromptTokens, tokens)
		}
		_, _ = fmt.Fprintf(w, "data: {\"finish_reason\":%q,\"model_name\":\"real\",\"model_version\":\"1\",%s%q:%s}\n\n", reason, usage, s.output, quoted(piece))
		_ = http.NewResponseController(w).Flush()
	}
	script.Step(len(script.Pieces))
}
