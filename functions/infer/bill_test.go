package infer_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/model"
)

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
