package infer_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/catalog"
)

func TestAnAnswerIsKeptForEqualRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		shared := answers.New(answers.Config{Store: answers.NewMemory()})
		w.config.Answers = shared
		in := w.scheduled()
		in.CacheKey = "key"
		if !shared.Lead(t.Context(), "key", in.Subject, time.Hour) {
			t.Fatal("it does not lead")
		}
		w.one(infer.New(w.config), in)
		if a, ok := shared.Get(t.Context(), "key"); !ok || a.Output != "yes" || a.Target != "main" || a.Usage.TotalTokens != 15 {
			t.Errorf("kept %+v, %t", a, ok)
		}
		w.config.Models = fails(events.CodeUnavailable, &w.calls)
		failing := w.scheduled()
		failing.CacheKey, failing.ID, failing.Subject = "other", "other", "other"
		w.one(infer.New(w.config), failing)
		if _, ok := shared.Get(t.Context(), "other"); ok {
			t.Error("a failure is kept")
		}
	})
}

func TestEqualRequestsMakeOneCallThoughNothingIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.Answers = answers.New(answers.Config{})
		h := infer.New(w.config)
		var workers sync.WaitGroup
		var cached atomic.Int32
		for n := range 20 {
			in := w.scheduled()
			in.ID, in.Subject, in.CacheKey = fmt.Sprint("id-", n), fmt.Sprint("message-", n), "key"
			workers.Go(func() {
				out := w.one(h, in)
				var r events.Result
				if err := json.Unmarshal(out.Data, &r); err != nil || r.MessageID != in.Subject || r.Output != "yes" {
					t.Errorf("emitted %s, %v", out.Data, err)
				}
				if r.Cached {
					cached.Add(1)
				}
			})
		}
		workers.Wait()
		if w.calls.Load() != 1 || cached.Load() != 19 {
			t.Errorf("%d calls, %d answers from the cache", w.calls.Load(), cached.Load())
		}
	})
}

func TestAnAnswerOfAnotherMakingIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		shared := answers.New(answers.Config{Store: answers.NewMemory()})
		w.config.Answers = shared
		w.config.CacheKey = func(string, *catalog.Model, events.Request) string { return "of the configuration as it is now" }
		in := w.scheduled()
		in.CacheKey = "of the configuration as it was"
		w.one(infer.New(w.config), in)
		if a, ok := shared.Get(t.Context(), in.CacheKey); ok {
			t.Errorf("kept %+v", a)
		}
	})
}

func TestALeadLastsAsLongAsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		shared := answers.New(answers.Config{Store: answers.NewMemory()})
		w.config.Answers = shared
		w.config.Models = says("yes", 10*time.Minute, &w.calls)
		in := w.scheduled()
		in.CacheKey = "key"
		if !shared.Lead(t.Context(), "key", in.Subject, time.Minute) {
			t.Fatal("it does not lead")
		}
		var workers sync.WaitGroup
		workers.Go(func() { w.one(infer.New(w.config), in) })
		<-time.After(9 * time.Minute)
		if shared.Lead(t.Context(), "key", "another", time.Minute) {
			t.Error("another leads while the call is under way")
		}
		workers.Wait()
		if _, ok := shared.Get(t.Context(), "key"); !ok {
			t.Error("there is no answer")
		}
	})
}
