package answers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/answers"
)

// leaders returns how many of as many messages lead.
func leaders(ctx context.Context, a *answers.Answers, messages int) (n int) {
	for i := range messages {
		if a.Lead(ctx, key, fmt.Sprintf("message %d", i), time.Hour) {
			n++
		}
	}
	return n
}

func TestWhatALeaderComesTo(t *testing.T) {
	t.Parallel()
	done := events.Result{Status: events.StatusCompleted, Output: "x", FinishReason: "stop"}
	cut, failed, broken, huge := done, done, done, done
	cut.FinishReason = "length"
	failed.Status = events.StatusFailed
	broken.Message = json.RawMessage("{")
	huge.Output = strings.Repeat("x", 1<<20)
	keep := func(r events.Result) func(context.Context, *answers.Answers) {
		return func(ctx context.Context, a *answers.Answers) { a.Keep(ctx, key, "m", r, time.Hour) }
	}
	for name, c := range map[string]struct {
		end  func(context.Context, *answers.Answers)
		lead int // of 20 others
	}{
		"an answer for all":                    {keep(done), 0},
		"an answer that is cut short":          {keep(cut), 20},
		"no answer":                            {keep(failed), 20},
		"an answer that cannot be written":     {keep(broken), 20},
		"an answer that is too large to store": {keep(huge), 20},
		"an answer that is not to be shared":   {func(ctx context.Context, a *answers.Answers) { a.Apart(ctx, key, "m") }, 20},
		"nothing for the others":               {func(ctx context.Context, a *answers.Answers) { a.Abandon(ctx, key, "m") }, 8},
		"a cancellation":                       {func(ctx context.Context, a *answers.Answers) { a.Land(ctx, key, "m") }, 1},
		"a failure of one that does not lead":  {func(ctx context.Context, a *answers.Answers) { a.Abandon(ctx, key, "m2") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, other, _, _ := setup(t)
			if !one.Lead(t.Context(), key, "m", time.Hour) {
				t.Fatal("nobody leads")
			}
			c.end(t.Context(), one)
			if got := leaders(t.Context(), other, 20); got != c.lead {
				t.Errorf("%d of 20 lead, want %d", got, c.lead)
			}
			if _, ok := other.Get(t.Context(), key); ok != (name == "an answer for all") {
				t.Errorf("there is an answer: %v", ok)
			}
		})
	}
}

func TestEqualRequestsGoApartForAsLongAsTheirAnswersAreNotToBeShared(t *testing.T) {
	t.Parallel()
	one, other, _, c := setup(t)
	one.Apart(t.Context(), key, "m")
	c.pass(59 * time.Second)
	other.Apart(t.Context(), key, "one of those that went apart")
	c.pass(59 * time.Second)
	if got := leaders(t.Context(), one, 20); got != 20 {
		t.Errorf("%d of 20 lead, want all", got)
	}
	c.pass(time.Second)
	if got := leaders(t.Context(), one, 20); got != 1 {
		t.Errorf("%d of 20 lead when the last is over, want 1", got)
	}
}

// One that cannot store what others wait for must not let them wait for the next, and that for the one after it.
func TestAnAnswerThatTheStoreDoesNotTakeSendsOthersApart(t *testing.T) {
	t.Parallel()
	store := &full{Store: answers.NewMemory()}
	one, other := answers.New(answers.Config{Store: store}), answers.New(answers.Config{Store: store})
	one.Lead(t.Context(), key, "m", time.Hour)
	one.Keep(t.Context(), key, "m", events.Result{Status: events.StatusCompleted, Output: "x"}, time.Hour)
	if got := leaders(t.Context(), other, 20); got != 20 {
		t.Errorf("%d of 20 lead, want all", got)
	}
	if got, ok := one.Get(t.Context(), key); !ok || got.Output != "x" {
		t.Errorf("the process that has it: %v, %+v", ok, got)
	}
}

// full is a store that takes no more values.
type full struct{ answers.Store }

func (full) Put(context.Context, string, []byte, time.Time, time.Duration) error {
	return fmt.Errorf("out of memory: %w", errAway)
}

func TestAFlightIsEndedWithoutAKeyOrAStore(t *testing.T) {
	t.Parallel()
	one, _, store, _ := setup(t)
	alone := answers.New(answers.Config{})
	before := store.asks.Load()
	r := events.Result{Status: events.StatusCompleted, Output: "x"}
	for _, end := range []func(a *answers.Answers, key string){
		func(a *answers.Answers, key string) { a.Apart(t.Context(), key, "m") },
		func(a *answers.Answers, key string) { a.Abandon(t.Context(), key, "m") },
		func(a *answers.Answers, key string) { a.Keep(t.Context(), key, "m", r, time.Hour) },
	} {
		end(one, "")
		end(alone, key)
	}
	if got := store.asks.Load(); got != before {
		t.Errorf("the store was asked %d times for what has no key", got-before)
	}
	if got, ok := alone.Get(t.Context(), key); !ok || got.Output != "x" {
		t.Errorf("a process alone: %v, %+v", ok, got)
	}
}
