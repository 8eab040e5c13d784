package infer_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/bulkhead"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/results"
)

func TestATargetThatIsLeftAloneIsNotCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		board := health.New(health.Config{})
		w.config.Health = board
		w.config.Models = fails(events.CodeUnavailable, &w.calls)
		h := infer.New(w.config)
		var last events.Event
		for range 20 {
			in := w.scheduled()
			in.Subject = "m" + time.Now().String()
			in.ID = in.Subject
			last = w.one(h, in)
			<-time.After(time.Millisecond)
		}
		if n := w.calls.Load(); n != 5 || board.Status("main").State != health.Open {
			t.Errorf("%d calls, and the breaker is %s", n, board.Status("main").State)
		}
		if last.ErrorCode != events.CodeBreakerOpen || last.Begun != 0 || len(last.Tried) != 0 {
			t.Errorf("the last emitted %+v", last)
		}
	})
}

func TestAnEventWhoseBatchIsOverBeforeThereIsAPlaceWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		places := bulkhead.New(bulkhead.Config{})
		w.config.Places = places
		for _, id := range []string{"a", "b"} {
			leave, err := places.Enter(t.Context(), "main", id, w.target.Concurrency)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(leave)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if o := outcomeOf(ctx, infer.New(w.config), w.scheduled()); o.Kind != hop.Parked {
			t.Errorf("%+v, want it parked", o)
		}
		in := w.scheduled()
		in.Subject, in.Expiry = "other", time.Now().Add(time.Second)
		if out := w.one(infer.New(w.config), in); out.ErrorCode != events.CodeExpired || w.calls.Load() != 0 {
			t.Errorf("after %d calls emitted %+v", w.calls.Load(), out)
		}
	})
}

func TestWhatWasNotCalledCanBeCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		board := health.New(health.Config{})
		w.config.Health = board
		for range 5 {
			board.Report(health.Outcome{Target: "main", Code: events.CodeUnavailable})
		}
		h, in := infer.New(w.config), w.scheduled()
		if out := w.one(h, in); out.ErrorCode != events.CodeBreakerOpen {
			t.Fatalf("emitted %+v", out)
		}
		stood, err := w.config.Results.Begin(t.Context(), in.Subject, results.Beginning{Canceled: true, At: time.Now()})
		if err != nil || !stood.Canceled {
			t.Fatalf("the cancel finds %+v, %v", stood, err)
		}
		<-time.After(time.Hour) // it is well again
		in.Attempt, in.ID = 2, in.Subject+"-scheduled-2"
		in.Expiry = time.Now().Add(time.Hour)
		if out, err := h(t.Context(), in); len(out) != 0 || err != nil || w.calls.Load() != 0 {
			t.Errorf("canceled, it emitted %v, %v after %d calls", out, err, w.calls.Load())
		}
	})
}
