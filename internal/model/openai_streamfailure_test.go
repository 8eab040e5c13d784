package model_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/model"
)

func TestOpenAIFailsInAStream(t *testing.T) {
	t.Parallel()
	begins := func(rest func(http.ResponseWriter, *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			stream(w, role, said("so"))
			rest(w, r)
		}
	}
	tells := func(data ...string) http.HandlerFunc {
		return begins(func(w http.ResponseWriter, _ *http.Request) { stream(w, data...) })
	}
	for name, tc := range map[string]struct {
		serve http.HandlerFunc
		code  string
	}{
		"a stream that just ends":           {tells(), events.CodeUnreachable},
		"a stream of which one choice ends": {tells(`{"choices":[{"index":1,"delta":{"content":"a"},"finish_reason":"stop"}]}`), events.CodeUnreachable},
		"a stream that is cut":              {begins(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), events.CodeUnreachable},
		"what is no chunk":                  {tells(`{"choices":[{"index":0,"delta":{"con`), events.CodeUnusableOutput},
		"a chunk that is cut short":         {begins(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `data: {"choices":[`) }), events.CodeUnreachable},
		"an error of the server":            {tells(`{"error":{"message":"oh","type":"server_error"}}`), events.CodeUnavailable},
		"an error without words":            {tells(`{"error":{}}`), events.CodeUnavailable},
		"an error that is a text":           {tells(`{"error":"oh"}`), events.CodeUnavailable},
		"an error by its number":            {tells(`{"error":{"message":"slow","code":429},"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}`), events.CodeRateLimited},
		"an error of the request":           {tells(`{"error":{"message":"m","type":"BadRequestError","code":400}}`), events.CodeInvalidRequest},
		"a filter":                          {tells(`{"error":{"message":"m","code":"content_filter"}}`), events.CodeContentRefused},
		"a quota":                           {tells(`{"error":{"message":"m","type":"insufficient_quota"}}`), events.CodeQuotaExhausted},
		"a limit":                           {tells(`{"error":{"message":"m","code":"rate_limit_exceeded"}}`), events.CodeRateLimited},
		"an error of an older vLLM":         {tells(`{"object":"error","message":"m","type":"NotFoundError","code":404}`), events.CodeUnknownModel},
		"an event of that name": {begins(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "event: error\ndata: {\"message\":\"m\"}\n\n")
		}), events.CodeUnavailable},
		"an answer without end": {begins(func(w http.ResponseWriter, r *http.Request) { forever(w, r, "data: "+said("more")+"\n\n") }), events.CodeOutputTooLarge},
		"a line without end":    {begins(func(w http.ResponseWriter, r *http.Request) { forever(w, r, "data") }), events.CodeOutputTooLarge},
		"a comment without end": {begins(func(w http.ResponseWriter, r *http.Request) { forever(w, r, ": still here\n\n") }), events.CodeOutputTooLarge},
		"choices without end": {begins(func(w http.ResponseWriter, r *http.Request) {
			forever(w, r, "data: "+`{"choices":[{"index":0,"delta":{"tool_calls":[{}]}}]}`+"\n\n")
		}), events.CodeOutputTooLarge},
		"nothing said": {func(w http.ResponseWriter, _ *http.Request) { stream(w, role, stop, done) }, events.CodeUnusableOutput},
		"no choices":   {func(w http.ResponseWriter, _ *http.Request) { stream(w, done) }, events.CodeUnusableOutput},
		"a refusal that names an option": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"message":"stream_options is not allowed"}}`)
		}, events.CodeInvalidRequest},
		"a body that claims to be a stream": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, completion)
		}, events.CodeUnreachable},
		"a stream that says it is something": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "data: "+said("a")+"\n\n") }, events.CodeUnusableOutput},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			_, _, _, err := follow(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				tc.serve(w, r)
			})
			if e := wantCode(t, err, tc.code); !e.Sent {
				t.Error("nothing was sent, it says")
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("the server was called %d times", n)
			}
		})
	}
	t.Run("keeps what it cost so far, and does not say that it cost nothing", func(t *testing.T) {
		t.Parallel()
		_, _, _, err := follow(t, tells(spent, `{"error":{"message":"oh"}}`))
		if e := wantCode(t, err, events.CodeUnavailable); e.Usage == nil || e.Usage.TotalTokens != 5 || e.Status != 0 {
			t.Errorf("usage %+v, status %d", e.Usage, e.Status)
		}
		_, _, _, err = follow(t, func(w http.ResponseWriter, _ *http.Request) { stream(w, `{"error":{"message":"oh"}}`) })
		if e := wantCode(t, err, events.CodeUnavailable); e.Status != http.StatusOK {
			t.Errorf("refused before the first word with status %d", e.Status)
		}
	})
	t.Run("tells a caller whose fault it is what the model says, and no secret", func(t *testing.T) {
		t.Parallel()
		for message, want := range map[string]bool{"too long": true, "wrong: key of env:K": false} {
			_, _, _, err := follow(t, tells(`{"error":{"message":"`+message+`","code":400}}`), func(c *model.Call) { c.Target.Key = "env:K" })
			if e := wantCode(t, err, events.CodeInvalidRequest); (e.Message == message) != want {
				t.Errorf("told %q of %q", e.Message, message)
			}
		}
	})
	t.Run("where it stalls, after the target's timeout", func(t *testing.T) {
		t.Parallel()
		_, _, _, err := follow(t, begins(hang), func(c *model.Call) { c.Target.Timeout = 50 * time.Millisecond })
		wantCode(t, err, events.CodeTimeout)
	})
	t.Run("where it drips, when the deadline passes", func(t *testing.T) {
		t.Parallel()
		_, _, _, err := follow(t, begins(func(w http.ResponseWriter, r *http.Request) {
			pace := time.NewTicker(time.Millisecond)
			defer pace.Stop()
			for r.Context().Err() == nil {
				stream(w, said(""))
				<-pace.C
			}
		}), func(c *model.Call) { c.Expiry = time.Now().Add(50 * time.Millisecond) })
		wantCode(t, err, events.CodeDeadline)
	})
	t.Run("not, where the process ends", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, begins(hang))
		ctx, cancel := context.WithCancel(t.Context())
		call.Delta = func(d model.Delta) {
			if d.Text != "" {
				cancel()
			}
		}
		_, err := client.Call(ctx, call)
		if _, ok := errors.AsType[*model.Error](err); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// forever writes the text again and again until the client closes the connection.
func forever(w http.ResponseWriter, r *http.Request, text string) {
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, strings.Repeat(text, 100)); err != nil {
			return
		}
	}
}
