package infer_test

import (
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/results"
)

func TestAShadowIsCalledAndNothingFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var told []infer.Attempt
		w.config.Observe = func(a infer.Attempt) { told = append(told, a) }
		h := infer.New(w.config)
		in := w.scheduled()
		s := in.AsShadow("main", time.Now().Add(time.Minute))
		if o := outcomeOf(t.Context(), h, s); o.Kind != hop.Parked || w.calls.Load() != 0 {
			t.Errorf("before its request has begun: %+v after %d calls", o, w.calls.Load())
		}
		if _, err := w.config.Results.Begin(t.Context(), in.Subject, results.Beginning{Run: in.Run, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if out, err := h(t.Context(), s); len(out) != 0 || err != nil {
			t.Errorf("emitted %v, %v", out, err)
		}
		if len(told) != 1 || !told[0].Shadow || told[0].Latency != time.Second || told[0].Usage.TotalTokens != 15 {
			t.Errorf("told of %+v", told)
		}
		s.Expiry = time.Now()
		if out, err := h(t.Context(), s); len(out) != 0 || err != nil || w.calls.Load() != 1 {
			t.Errorf("too late, emitted %v, %v after %d calls", out, err, w.calls.Load())
		}
	})
}

func TestAShadowOfACanceledRequestIsNotCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		in := w.scheduled()
		if _, err := w.config.Results.Begin(t.Context(), in.Subject, results.Beginning{Canceled: true, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		s := in.AsShadow("main", time.Now().Add(time.Minute))
		if out, err := infer.New(w.config)(t.Context(), s); len(out) != 0 || err != nil || w.calls.Load() != 0 {
			t.Errorf("emitted %v, %v after %d calls", out, err, w.calls.Load())
		}
	})
}
