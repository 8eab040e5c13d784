package infer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/model/simulated"
	"baton.dev/baton/internal/results"
)

const answer = `{"choices":[{"message":{"role":"assistant","content":"a < b","x":[1.0, 2]},"finish_reason":"stop"}],
	"usage":{"prompt_tokens":1,"completion_tokens":3,"total_tokens":4}}`

func TestCompleted(t *testing.T) {
	t.Parallel()
	t.Run("holds the result byte for byte as the callback posts it", func(t *testing.T) {
		t.Parallel()
		var passed atomic.Int64
		c := setup(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			passed.Add(int64(250 * time.Millisecond))
			answering(200, answer)(w, r)
		}))
		c.now = func() time.Time { return accepted.Add(1500*time.Millisecond + time.Duration(passed.Load())) }
		in := scheduled(t, body, 2)
		in.Tried, in.Begun = []string{"other"}, 1
		out := c.one(t, in, events.Completed)

		want := `{"message_id":"` + in.Subject + `","request_id":"7d3f1a52-0c1e-4f5e-9a44-0f2f6b7f1c11","status":"completed",` +
			`"model_id":"gpt","target":"main","output":"a < b",` +
			`"message":{"role":"assistant","content":"a < b","x":[1.0,2]},"finish_reason":"stop",` +
			`"usage":{"prompt_tokens":1,"completion_tokens":3,"total_tokens":4},"cached":false,"attempts":2,` +
			`"timings":{"accepted_at":"2026-03-01T12:00:00.123456789Z","completed_at":"2026-03-01T12:00:01.873456789Z",` +
			`"queue_ms":1500,"inference_ms":250},"metadata":{"a":"<2>","z":"1"}}`
		if string(out.Data) != want {
			t.Errorf("got  %s\nwant %s", out.Data, want)
		}
		if out.ID != in.Subject+"-completed-2" || out.CausationID != in.ID || out.Source != "/baton/infer" ||
			out.Attempt != 2 || out.DataSchema != events.ResultSchemaURI || out.DataContentType != events.JSON || out.ErrorCode != "" ||
			!out.Time.Equal(c.now()) {
			t.Errorf("got %+v", out)
		}
	})
	t.Run("has no negative times where clocks differ", func(t *testing.T) {
		t.Parallel()
		c := setup(t, answering(200, answer))
		c.now = func() time.Time { return accepted.Add(-time.Minute) }
		out := c.one(t, scheduled(t, body, 1), events.Completed)
		if !bytes.Contains(out.Data, []byte(`"queue_ms":0,"inference_ms":0`)) {
			t.Errorf("got %s", out.Data)
		}
	})
	t.Run("comes from a simulated model too", func(t *testing.T) {
		t.Parallel()
		c := setup(t, simulated.New(catalog.Simulate{Tokens: 3, Seed: 1}))
		var r events.Result
		if err := json.Unmarshal(c.one(t, scheduled(t, body, 1), events.Completed).Data, &r); err != nil {
			t.Fatal(err)
		}
		if len(strings.Fields(r.Output)) != 3 || r.Usage == nil || r.Usage.TotalTokens != 4 {
			t.Errorf("got %+v", r)
		}
	})
}

func TestAttemptFailed(t *testing.T) {
	t.Parallel()
	t.Run("hands the request on untouched, and says what failed", func(t *testing.T) {
		t.Parallel()
		c := setup(t, answering(503, ""))
		in := scheduled(t, " "+body+"\n", 2)
		backing := append(make([]string, 0, 8), "one", "kept")
		in.Begun = 1
		in.Tried = backing[:1] // has room for another: writing there would change the input
		out := c.one(t, in, events.AttemptFailed)

		if out.ErrorCode != events.CodeUnavailable || out.ErrorMessage == "" || !reflect.DeepEqual(out.Tried, []string{"one", "main"}) || out.Begun != 2 ||
			!bytes.Equal(out.Data, in.Data) || out.DataSchema != in.DataSchema || out.ID != in.Subject+"-attempt_failed-2" {
			t.Errorf("got %+v", out)
		}
		if backing[1] != "kept" {
			t.Error("the input's slice was written to")
		}
	})
	for status, code := range map[int]string{
		400: events.CodeInvalidRequest, 401: events.CodeUnauthorized, 404: events.CodeUnknownModel,
		429: events.CodeRateLimited, 500: events.CodeUnavailable, 504: events.CodeTimeout,
	} {
		t.Run("carries the code "+code, func(t *testing.T) {
			t.Parallel()
			if out := setup(t, answering(status, "")).one(t, scheduled(t, body, 1), events.AttemptFailed); out.ErrorCode != code {
				t.Errorf("got %s", out.ErrorCode)
			}
		})
	}
	t.Run("tells the caller the model's words where the request is at fault", func(t *testing.T) {
		t.Parallel()
		c := setup(t, answering(400, `{"error":{"message":"'top_k' is not known"}}`))
		if out := c.one(t, scheduled(t, body, 1), events.AttemptFailed); out.ErrorMessage != "'top_k' is not known" {
			t.Errorf("got %q", out.ErrorMessage)
		}
	})
	t.Run("logs until when a rate limit holds", func(t *testing.T) {
		t.Parallel()
		c := setup(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		c.one(t, scheduled(t, body, 1), events.AttemptFailed)
		if !strings.Contains(c.log.String(), `"retry_at"`) {
			t.Errorf("got %s", c.log)
		}
	})
	t.Run("an answer without output never completes", func(t *testing.T) {
		t.Parallel()
		for _, b := range []string{"", "{}", `{"choices":[{"message":{"role":"assistant","content":" "}}]}`} {
			if out := setup(t, answering(200, b)).one(t, scheduled(t, body, 1), events.AttemptFailed); out.ErrorCode != events.CodeUnusableOutput {
				t.Errorf("%q: got %s", b, out.ErrorCode)
			}
		}
	})
	t.Run("a result over the limit is too large, and one of the limit is not", func(t *testing.T) {
		t.Parallel()
		c := setup(t, answering(200, answer))
		c.config.MaxResult = len(c.one(t, scheduled(t, body, 1), events.Completed).Data)
		c.one(t, scheduled(t, body, 1), events.Completed)
		c.config.MaxResult--
		if out := c.one(t, scheduled(t, body, 1), events.AttemptFailed); out.ErrorCode != events.CodeOutputTooLarge {
			t.Errorf("got %s", out.ErrorCode)
		}
		if !strings.Contains(c.log.String(), `"err":"model: call main: output_too_large"`) {
			t.Errorf("the log says %s", c.log.String())
		}
	})
	t.Run("a target that is gone from the configuration", func(t *testing.T) {
		t.Parallel()
		c := setup(t, never(t))
		in := scheduled(t, body, 1)
		in.Target = "former"
		if out := c.one(t, in, events.AttemptFailed); out.ErrorCode != events.CodeTargetGone || out.Tried[0] != "former" || out.Begun != 0 {
			t.Errorf("got %+v", out)
		}
	})
	t.Run("a target of an api that cannot be called", func(t *testing.T) {
		t.Parallel()
		c := setup(t, never(t))
		c.target.API = catalog.OIPGRPC
		if out := c.one(t, scheduled(t, body, 1), events.AttemptFailed); out.ErrorCode != events.CodeTargetGone ||
			!strings.Contains(out.ErrorMessage, "cannot call") {
			t.Errorf("got %+v", out)
		}
	})
	t.Run("no call is begun at the deadline, nor after it", func(t *testing.T) {
		t.Parallel()
		c := setup(t, never(t))
		// Far ahead of the real clock, so that it is this function that stops and not the client of the model.
		c.now = func() time.Time { return accepted.AddDate(100, 0, 0) }
		for _, late := range []time.Duration{0, time.Hour} {
			in := scheduled(t, body, 1)
			in.Expiry = c.now().Add(-late)
			if out := c.one(t, in, events.AttemptFailed); out.ErrorCode != events.CodeExpired || out.Begun != 0 {
				t.Errorf("got %+v", out)
			}
		}
	})
}

func TestClaim(t *testing.T) {
	t.Parallel()
	nothing := func(t *testing.T, c *chain, in events.Event) {
		t.Helper()
		if out, err := c.function()(t.Context(), in); len(out) != 0 || err != nil {
			t.Fatalf("got %+v, %v", out, err)
		}
	}
	t.Run("is written before the first call", func(t *testing.T) {
		t.Parallel()
		var c *chain
		in := scheduled(t, body, 1)
		c = setup(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			stood, err := c.store.Begin(r.Context(), in.Subject, results.Beginning{Canceled: true})
			if err != nil || stood.Canceled || stood.Run != in.Run || !stood.At.Equal(c.now()) {
				t.Errorf("during the call stands %+v, %v", stood, err)
			}
			answering(200, answer)(w, r)
		}))
		c.one(t, in, events.Completed)
	})
	t.Run("of the same run is found again by a repeat", func(t *testing.T) {
		t.Parallel()
		c := setup(t, answering(200, answer))
		c.one(t, scheduled(t, body, 1), events.Completed)
		c.one(t, scheduled(t, body, 1), events.Completed)
	})
	t.Run("of a run that has ended ends its repeat without a call", func(t *testing.T) {
		t.Parallel()
		c := setup(t, answering(200, answer))
		in := scheduled(t, body, 1)
		out := c.one(t, in, events.Completed)
		if _, err := c.store.End(t.Context(), in.Subject, results.Ending{EventID: out.ID, Status: events.StatusCompleted, Body: out.Data}); err != nil {
			t.Fatal(err)
		}
		c.now = func() time.Time { return accepted.Add(time.Minute) }
		c.config.Models = model.Clients{}
		nothing(t, c, in)
	})
	t.Run("that was canceled ends the run without an event", func(t *testing.T) {
		t.Parallel()
		c := setup(t, never(t))
		in := scheduled(t, body, 1)
		if _, err := c.store.Begin(t.Context(), in.Subject, results.Beginning{Canceled: true}); err != nil {
			t.Fatal(err)
		}
		nothing(t, c, in)
		if !strings.Contains(c.log.String(), "canceled") {
			t.Errorf("got log %s", c.log)
		}
	})
	t.Run("of another run ends this one without an event", func(t *testing.T) {
		t.Parallel()
		c := setup(t, answering(200, answer))
		c.one(t, scheduled(t, body, 1), events.Completed)
		again := scheduled(t, body, 1)
		again.Run = "another"
		nothing(t, c, again)
	})
	t.Run("is not asked for by a later attempt, which ends all the same if the request has", func(t *testing.T) {
		t.Parallel()
		c := setup(t, answering(200, answer))
		c.config.Results = results.New(broken{results.NewMemory()})
		in := scheduled(t, body, 2)
		in.Begun = 1
		out := c.one(t, in, events.Completed)
		c.config.Results = c.store
		if _, err := c.store.End(t.Context(), in.Subject, results.Ending{EventID: out.ID, Status: events.StatusCompleted, Body: out.Data}); err != nil {
			t.Fatal(err)
		}
		nothing(t, c, in)
	})
	t.Run("that cannot be written is a reason to try again", func(t *testing.T) {
		t.Parallel()
		c := setup(t, never(t))
		c.config.Results = results.New(broken{results.NewMemory()}).WithClock(func() time.Time { return accepted })
		out, err := c.function()(t.Context(), scheduled(t, body, 1))
		if len(out) != 0 || !errors.Is(err, errBroken) {
			t.Errorf("got %+v, %v", out, err)
		}
	})
}

func TestRejected(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"that is no JSON":       `{"prompt":`,
		"that is of wrong type": `{"prompt":[1]}`,
		"that is not there":     ``,
	} {
		t.Run("data "+name+" is refused for good", func(t *testing.T) {
			t.Parallel()
			in := scheduled(t, data, 1)
			out, err := setup(t, never(t)).function()(t.Context(), in)
			if o := (hop.Limits{Tries: 2}).Classify(in, err); len(out) != 0 || o.Kind != hop.Dead || o.Reason != events.ReasonUndecodable {
				t.Errorf("got %+v, %v: %+v", out, err, o)
			}
		})
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	t.Run("during a call puts the event back and fails no attempt", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := setup(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			cancel()
			<-r.Context().Done()
		}))
		out, err := c.function()(ctx, scheduled(t, body, 1))
		if len(out) != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("got %+v, %v", out, err)
		}
	})
	t.Run("as the call fails puts the event back too: the shutdown may be why", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := setup(t, answering(503, ""))
		c.config.Models = afterwards{c.config.Models, cancel}
		out, err := c.function()(ctx, scheduled(t, body, 1))
		if len(out) != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("got %+v, %v", out, err)
		}
	})
	t.Run("after the answer keeps it, since it is paid for", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := setup(t, answering(200, answer))
		c.config.Models = afterwards{c.config.Models, cancel}
		out, err := c.function()(ctx, scheduled(t, body, 1))
		if len(out) != 1 || err != nil || ctx.Err() == nil {
			t.Errorf("got %+v, %v", out, err)
		}
	})
}

func TestConfigHasDefaults(t *testing.T) {
	t.Parallel()
	c := setup(t, answering(200, `{"choices":[{"message":{"content":"`+strings.Repeat("a", 450<<10)+`"}}]}`))
	// Output and message: twice the text, just over 900 KiB.
	f := infer.New(infer.Config{Catalog: c.config.Catalog, Models: c.config.Models, Results: c.config.Results})
	out, err := f(t.Context(), scheduled(t, body, 1))
	if err != nil || len(out) != 1 || out[0].ErrorCode != events.CodeOutputTooLarge || time.Since(out[0].Time) > time.Hour {
		t.Fatalf("got %d events, %v", len(out), err)
	}
	if m := out[0].ErrorMessage; !strings.Contains(m, "921600 bytes") || !strings.Contains(m, "fewer inputs") {
		t.Errorf("the caller is told %q", m)
	}
}

var errBroken = errors.New("the store is out")

// broken is cells that cannot be written.
type broken struct{ results.Cells }

func (broken) Create(context.Context, string, []byte, time.Time) ([]byte, error) {
	return nil, errBroken
}

// afterwards does something after each call of a model.
type afterwards struct {
	infer.Models
	do func()
}

func (a afterwards) Call(ctx context.Context, call model.Call) (model.Answer, error) {
	defer a.do()
	return a.Models.Call(ctx, call)
}
