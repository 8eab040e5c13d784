package infer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/bulkhead"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/results"
)

// modelIn is a model in the memory of the test, for virtual time.
type modelIn func(ctx context.Context, call model.Call) (model.Answer, error)

func (m modelIn) Call(ctx context.Context, call model.Call) (model.Answer, error) {
	return m(ctx, call)
}

// says answers after d.
func says(text string, d time.Duration, calls *atomic.Int32) modelIn {
	return func(ctx context.Context, _ model.Call) (model.Answer, error) {
		calls.Add(1)
		select {
		case <-time.After(d):
			message, err := json.Marshal(map[string]string{"role": "assistant", "content": text})
			return model.Answer{
				Message: message, Output: text, FinishReason: "stop",
				Usage: &events.Usage{PromptTokens: 10, CompletionTokens: 5, TotalTokens: 15},
			}, err
		case <-ctx.Done():
			return model.Answer{}, ctx.Err()
		}
	}
}

// fails is a model whose calls come to nothing.
func fails(code string, calls *atomic.Int32) modelIn {
	return func(context.Context, model.Call) (model.Answer, error) {
		calls.Add(1)
		return model.Answer{}, model.NewError(code, nil)
	}
}

// world is what several workers of the function share.
type world struct {
	t       *testing.T
	config  infer.Config
	catalog *catalog.Catalog
	target  *catalog.Target
	tenant  *catalog.Tenant
	calls   atomic.Int32
}

func newWorld(t *testing.T) *world {
	w := &world{
		t:      t,
		target: &catalog.Target{Name: "main", API: catalog.OpenAI, Timeout: time.Minute, Concurrency: 2, Price: catalog.Price{Input: 1000, Output: 2000}, MaxTokens: 100},
		tenant: &catalog.Tenant{Name: "search"},
	}
	w.catalog = &catalog.Catalog{
		Models:  map[string]*catalog.Model{"gpt": {ID: "gpt", Cache: time.Hour, Targets: []*catalog.Target{w.target}}},
		Tenants: map[string]*catalog.Tenant{"search": w.tenant},
	}
	w.config = infer.Config{
		Catalog: func() *catalog.Catalog { return w.catalog },
		Models:  says("yes", time.Second, &w.calls),
		Results: results.New(results.NewMemory()),
		Log:     slog.New(slog.DiscardHandler),
	}
	return w
}

// leases makes the workers of the world share leases of ten seconds.
func (w *world) leases(store lease.Store) {
	l, err := lease.New(lease.Config{Store: store, TTL: 10 * time.Second})
	if err != nil {
		w.t.Fatal(err)
	}
	w.config.Leases = l
}

func (w *world) scheduled() events.Event {
	var r events.Request
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		w.t.Fatal(err)
	}
	in := events.New("search", r, events.Normal, []byte(body), time.Now(), time.Now().Add(time.Hour)).
		Next(events.Schedule, events.Scheduled, 1, time.Now())
	in.Target = "main"
	return in
}

// outcome returns what the worker says about the event.
func outcomeOf(ctx context.Context, h hop.Handler, in events.Event) hop.Outcome {
	_, err := h(ctx, in)
	return hop.Limits{}.Classify(in, err)
}

func (w *world) one(h hop.Handler, in events.Event) events.Event {
	w.t.Helper()
	out, err := h(w.t.Context(), in)
	if err != nil || len(out) != 1 {
		w.t.Fatalf("emitted %d events, %v, want one", len(out), err)
	}
	return out[0]
}

// unreachable is a store of leases that can be away.
type unreachable struct {
	lease.Store
	away atomic.Bool
}

var errAway = errors.New("away")

func (u *unreachable) Acquire(ctx context.Context, key string, now time.Time, ttl time.Duration) (lease.Grant, error) {
	if u.away.Load() {
		return lease.Grant{}, errAway
	}
	return u.Store.Acquire(ctx, key, now, ttl)
}

func (u *unreachable) Renew(ctx context.Context, key string, token int64, now time.Time, ttl time.Duration) (bool, error) {
	if u.away.Load() {
		return false, errAway
	}
	return u.Store.Renew(ctx, key, token, now, ttl)
}

func TestAnAttemptIsMadeOnce(t *testing.T) {
	t.Run("by one of two workers at once, and the other waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.leases(lease.NewMemory())
			w.config.Models = says("yes", time.Minute, &w.calls) // several times as long as a lease
			in := w.scheduled()
			var workers sync.WaitGroup
			workers.Go(func() { w.one(infer.New(w.config), in) })
			<-time.After(30 * time.Second)
			o := outcomeOf(t.Context(), infer.New(w.config), in)
			if o.Kind != hop.Parked || o.Until.Before(time.Now()) || o.Until.After(time.Now().Add(10*time.Second)) {
				t.Errorf("the second worker: %+v, want it parked until the lease is over", o)
			}
			workers.Wait()
			if n := w.calls.Load(); n != 1 {
				t.Errorf("%d calls", n)
			}
		})
	})
	t.Run("and a repeat emits the same again without a call", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.leases(lease.NewMemory())
			in := w.scheduled()
			first := w.one(infer.New(w.config), in)
			<-time.After(time.Second)
			again := w.one(infer.New(w.config), in)
			if !bytes.Equal(first.Data, again.Data) || first.ID != again.ID || again.Type != events.Completed || w.calls.Load() != 1 {
				t.Errorf("after %d calls the repeat emitted %+v", w.calls.Load(), again)
			}
		})
	})
	t.Run("and a failure is repeated as the same failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.leases(lease.NewMemory())
			w.config.Models = fails(events.CodeUnavailable, &w.calls)
			in := w.scheduled()
			w.one(infer.New(w.config), in)
			again := w.one(infer.New(w.config), in)
			if again.ErrorCode != events.CodeUnavailable || again.Begun != 1 || len(again.Tried) != 1 || w.calls.Load() != 1 {
				t.Errorf("after %d calls the repeat emitted %+v", w.calls.Load(), again)
			}
		})
	})
	t.Run("and a worker that stalled past its lease tells nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			shared := lease.NewMemory()
			stalled := &unreachable{Store: shared}
			w.leases(stalled)
			w.config.Models = modelIn(func(context.Context, model.Call) (model.Answer, error) {
				w.calls.Add(1)
				stalled.away.Store(true)
				<-time.After(time.Minute) // it does not see that its context has ended
				return model.Answer{Output: "late", Message: []byte(`{"role":"assistant","content":"late"}`)}, nil
			})
			in := w.scheduled()
			late := infer.New(w.config)
			var workers sync.WaitGroup
			workers.Go(func() {
				if o := outcomeOf(t.Context(), late, in); o.Kind != hop.Parked {
					t.Errorf("the late worker: %+v, want it parked", o)
				}
			})
			<-time.After(30 * time.Second)
			w.leases(shared)
			w.config.Models = says("second", time.Second, &w.calls)
			out := w.one(infer.New(w.config), in)
			workers.Wait()
			if again := w.one(infer.New(w.config), in); !bytes.Equal(again.Data, out.Data) || w.calls.Load() != 2 {
				t.Errorf("after %d calls the outcome is %s", w.calls.Load(), again.Data)
			}
		})
	})
	t.Run("by this process, while the store is away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			away := &unreachable{Store: lease.NewMemory()}
			away.away.Store(true)
			w.leases(away)
			h, in := infer.New(w.config), w.scheduled()
			w.one(h, in)
			w.one(h, in)
			if n := w.calls.Load(); n != 1 {
				t.Errorf("%d calls", n)
			}
		})
	})
	t.Run("and a worker that drains leaves it to the next at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.leases(lease.NewMemory())
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			in := w.scheduled()
			if _, err := infer.New(w.config)(ctx, in); err == nil {
				t.Fatal("a call that was cut short has an outcome")
			}
			w.one(infer.New(w.config), in)
		})
	})
}

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

func TestABudgetIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		accounts := ledger.NewMemory()
		w.config.Ledger = accounts
		var bound json.RawMessage
		w.config.Models = modelIn(func(ctx context.Context, call model.Call) (model.Answer, error) {
			bound = call.Request.Parameters["max_tokens"]
			return says("yes", time.Second, &w.calls)(ctx, call)
		})
		var r events.Request
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		most := ledger.Most(w.target, ledger.Bound(r, w.target))
		w.tenant.Budget = catalog.Budget{Amount: most + 20, Period: catalog.Day} // one call costs 10*1 + 5*2 millionths
		h := infer.New(w.config)
		spend := func(id string) events.Event {
			in := w.scheduled()
			in.ID, in.Subject = id, id
			return w.one(h, in)
		}
		if out := spend("a"); out.Type != events.Completed || string(bound) != "100" {
			t.Fatalf("emitted %+v under the bound %s", out, bound)
		}
		account, _ := ledger.Account("search", w.tenant.Budget, time.Now())
		if s, err := accounts.Spent(t.Context(), account); err != nil || s.Spent != 20 || s.Reserved != 0 {
			t.Errorf("after one call the account is %+v, %v", s, err)
		}
		if out := spend("b"); out.Type != events.Completed {
			t.Errorf("emitted %+v", out)
		}
		if out := spend("c"); out.ErrorCode != events.CodeBudgetSpent || out.Begun != 0 || w.calls.Load() != 2 {
			t.Errorf("after %d calls emitted %+v", w.calls.Load(), out)
		}
	})
}

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

func TestWhatIsOnlyReservedIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		accounts := ledger.NewMemory()
		w.config.Ledger = accounts
		var r events.Request
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		w.tenant.Budget = catalog.Budget{Amount: ledger.Most(w.target, ledger.Bound(r, w.target)) + 20, Period: catalog.Day}
		h := infer.New(w.config)
		var workers sync.WaitGroup
		first := w.scheduled()
		workers.Go(func() { w.one(h, first) })
		synctest.Wait() // it is under way, and has reserved nearly all
		second := w.scheduled()
		second.ID, second.Subject = "second", "second"
		if o := outcomeOf(t.Context(), h, second); o.Kind != hop.Parked {
			t.Errorf("the second: %+v, want it parked", o)
		}
		workers.Wait()
		if out := w.one(h, second); out.Type != events.Completed {
			t.Errorf("after the first, the second emitted %+v", out)
		}
	})
}

func TestAFailureCostsWhatIsKnownOfIt(t *testing.T) {
	usage := &events.Usage{PromptTokens: 10, CompletionTokens: 5, TotalTokens: 15}
	for name, tc := range map[string]struct {
		failure model.Error
		most    bool
		want    catalog.Money
	}{
		"nothing, where nothing was sent":                        {failure: model.Error{Code: events.CodeUnreachable}},
		"nothing, where the server says that it does not answer": {failure: model.Error{Code: events.CodeUnavailable, Sent: true, Status: 503}},
		"the most, where the connection broke":                   {failure: model.Error{Code: events.CodeUnreachable, Sent: true}, most: true},
		"the most, where time ran out":                           {failure: model.Error{Code: events.CodeTimeout, Sent: true}, most: true},
		"what the server says of an answer that is of no use":    {failure: model.Error{Code: events.CodeUnusableOutput, Sent: true, Status: 200, Usage: usage}, want: 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				accounts := ledger.NewMemory()
				w.config.Ledger = accounts
				w.tenant.Budget = catalog.Budget{Amount: 1_000_000, Period: catalog.Day}
				var most catalog.Money
				w.config.Models = modelIn(func(_ context.Context, call model.Call) (model.Answer, error) {
					most = ledger.Most(call.Target, call.Request)
					failure := tc.failure
					return model.Answer{}, &failure
				})
				w.one(infer.New(w.config), w.scheduled())
				want := tc.want
				if tc.most {
					want = most
				}
				account, _ := ledger.Account("search", w.tenant.Budget, time.Now())
				if s, err := accounts.Spent(t.Context(), account); err != nil || s.Spent != want || s.Reserved != 0 {
					t.Errorf("the account is %+v, %v, want %d spent", s, err, want)
				}
			})
		})
	}
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
