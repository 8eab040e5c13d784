package answers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/answers"
)

const key = "v1.key"

// clock is a time that a test moves.
type clock struct{ at time.Time }

func newClock() *clock                { return &clock{time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)} }
func (c *clock) now() time.Time       { return c.at }
func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }

// outage is a store that can go away.
type outage struct {
	answers.Store
	away atomic.Bool
	asks atomic.Int64
}

var errAway = errors.New("connection refused")

func (o *outage) out() bool {
	o.asks.Add(1)
	return o.away.Load()
}

func (o *outage) Get(ctx context.Context, key string) ([]byte, error) {
	if o.out() {
		return nil, errAway
	}
	return o.Store.Get(ctx, key)
}

func (o *outage) Put(ctx context.Context, key string, value []byte, now time.Time, ttl time.Duration) error {
	if o.out() {
		return errAway
	}
	return o.Store.Put(ctx, key, value, now, ttl)
}

func (o *outage) Lead(ctx context.Context, key, holder string, now time.Time, ttl time.Duration) (string, error) {
	if o.out() {
		return "", errAway
	}
	return o.Store.Lead(ctx, key, holder, now, ttl)
}

func (o *outage) Land(ctx context.Context, key, holder string) error {
	if o.out() {
		return errAway
	}
	return o.Store.Land(ctx, key, holder)
}

func (o *outage) Widen(ctx context.Context, key, holder string, width int, now time.Time, ttl time.Duration) error {
	if o.out() {
		return errAway
	}
	return o.Store.Widen(ctx, key, holder, width, now, ttl)
}

// setup returns two processes that share a store.
func setup(*testing.T) (one, other *answers.Answers, store *outage, c *clock) {
	c = newClock()
	store = &outage{Store: answers.NewMemory().WithClock(c.now)}
	cfg := answers.Config{Store: store, Now: c.now}
	return answers.New(cfg), answers.New(cfg), store, c
}

func answer() answers.Answer {
	return answers.Answer{
		ModelID: "m", Target: "t", Output: "a <b> & \u2028 é", FinishReason: "stop",
		Message:  json.RawMessage(`{"role":"assistant","content":"a <b> & é","n":12345678901234567890}`),
		Usage:    &events.Usage{PromptTokens: 1, CompletionTokens: 2, TotalTokens: 3},
		StoredAt: time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC),
	}
}

func TestAnAnswerIsTheSameInEveryProcess(t *testing.T) {
	t.Parallel()
	one, other, _, c := setup(t)
	want := answer()
	one.Put(t.Context(), key, want, time.Minute)
	for name, a := range map[string]*answers.Answers{"the process that stored it": one, "another": other} {
		if got, ok := a.Get(t.Context(), key); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %+v, want %+v", name, ok, got, want)
		}
	}
	one.Put(t.Context(), "undated", answers.Answer{Output: "x"}, time.Minute)
	if got, _ := other.Get(t.Context(), "undated"); !got.StoredAt.Equal(c.now()) {
		t.Errorf("one that does not say when is of %v, want %v", got.StoredAt, c.now())
	}
}

func TestNoLevelServesAnAnswerLongerThanItsTime(t *testing.T) {
	t.Parallel()
	one, other, _, c := setup(t)
	one.Put(t.Context(), key, answer(), time.Minute)
	c.pass(time.Minute - 1)
	for _, a := range []*answers.Answers{one, other} { // other has it in its own level from here on
		if _, ok := a.Get(t.Context(), key); !ok {
			t.Error("it is not there in its last moment")
		}
	}
	c.pass(1)
	for _, a := range []*answers.Answers{one, other} {
		if _, ok := a.Get(t.Context(), key); ok {
			t.Error("it is there when its time is over")
		}
	}
	if !one.Lead(t.Context(), key, "m1", time.Minute) {
		t.Error("nobody may answer it again")
	}
}

func TestTheOwnLevelSparesTheStore(t *testing.T) {
	t.Parallel()
	one, other, store, _ := setup(t)
	one.Put(t.Context(), key, answer(), time.Minute)
	other.Get(t.Context(), key)
	before := store.asks.Load()
	for range 10 {
		one.Get(t.Context(), key)
		other.Get(t.Context(), key)
	}
	if got := store.asks.Load(); got != before {
		t.Errorf("the store was asked %d times more", got-before)
	}
}

func TestTheOwnLevelIsBounded(t *testing.T) {
	t.Parallel()
	store := &outage{Store: answers.NewMemory()}
	a := answers.New(answers.Config{Store: store, Bytes: 1 << 20})
	big := answers.Answer{Output: strings.Repeat("x", 100<<10)}
	keys := strings.Split("abcdefghijklmnopqrstuvwxyz", "")
	for _, k := range keys {
		a.Put(t.Context(), k, big, time.Hour)
	}
	store.away.Store(true)
	kept := func() (n int) {
		for _, k := range keys {
			if _, ok := a.Get(t.Context(), k); ok {
				n++
			}
		}
		return n
	}
	for deadline := time.Now().Add(time.Minute); kept() > 10; {
		if time.Now().After(deadline) {
			t.Fatalf("%d answers of 100 KiB are kept in 1 MiB", kept())
		}
		<-time.After(time.Millisecond)
	}
}

func TestWhatIsNotStored(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(context.Context, *answers.Answers){
		"an answer over 1 MiB": func(ctx context.Context, a *answers.Answers) {
			a.Put(ctx, key, answers.Answer{Output: strings.Repeat("x", 1<<20)}, time.Minute)
		},
		"a message that is no JSON": func(ctx context.Context, a *answers.Answers) {
			a.Put(ctx, key, answers.Answer{Message: json.RawMessage(`{"a":`)}, time.Minute)
		},
		"an answer without time": func(ctx context.Context, a *answers.Answers) { a.Put(ctx, key, answer(), 0) },
		"an answer without key":  func(ctx context.Context, a *answers.Answers) { a.Put(ctx, "", answer(), time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, _, store, _ := setup(t)
			put(t.Context(), one)
			for _, k := range []string{key, ""} {
				if _, ok := one.Get(t.Context(), k); ok {
					t.Error("it is found")
				}
			}
			if _, err := store.Store.Get(t.Context(), key); !errors.Is(err, answers.ErrNotFound) {
				t.Errorf("the store has it: %v", err)
			}
		})
	}
}

func TestWhatIsDamagedInTheStoreIsNoAnswerAndStopsNobody(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "null", "{}", `{"answer":{"output":"x"}}`, `{"until":"2026-11-24T11:59:59Z","answer":{}}`, "\x00"} {
		one, _, store, c := setup(t)
		if err := store.Put(t.Context(), key, []byte(text), c.now(), time.Minute); err != nil {
			t.Fatal(err)
		}
		if got, ok := one.Get(t.Context(), key); ok {
			t.Errorf("%q is read as %+v", text, got)
		}
		if !one.Lead(t.Context(), key, "m1", time.Minute) {
			t.Errorf("%q: nobody leads", text)
		}
	}
}

func TestLead(t *testing.T) {
	t.Parallel()
	t.Run("the first leads, the others wait until it has landed", func(t *testing.T) {
		t.Parallel()
		one, other, _, _ := setup(t)
		if !one.Lead(t.Context(), key, "m1", time.Minute) || !other.Lead(t.Context(), key, "m1", time.Minute) {
			t.Error("the first does not lead")
		}
		if one.Lead(t.Context(), key, "m2", time.Minute) || other.Lead(t.Context(), key, "m2", time.Minute) {
			t.Error("two lead")
		}
		other.Land(t.Context(), key, "m2")
		if other.Lead(t.Context(), key, "m2", time.Minute) {
			t.Error("one that does not lead has landed the leader")
		}
		other.Land(t.Context(), key, "m1")
		if !one.Lead(t.Context(), key, "m2", time.Minute) {
			t.Error("nobody leads after the leader has landed")
		}
	})
	t.Run("one that looked before the leader stored does not lead after it has landed", func(t *testing.T) {
		t.Parallel()
		one, other, _, _ := setup(t)
		one.Lead(t.Context(), key, "m1", time.Minute)
		if _, ok := other.Get(t.Context(), key); ok {
			t.Fatal("there is an answer already")
		}
		one.Put(t.Context(), key, answer(), time.Minute)
		one.Land(t.Context(), key, "m1")
		if other.Lead(t.Context(), key, "m2", time.Minute) {
			t.Error("it would call for what is answered")
		}
	})
	t.Run("without a key, a store or time everyone leads", func(t *testing.T) {
		t.Parallel()
		one, _, _, _ := setup(t)
		alone := answers.New(answers.Config{})
		for _, id := range []string{"m1", "m2"} {
			if !one.Lead(t.Context(), "", id, time.Minute) || !one.Lead(t.Context(), key, id, 0) ||
				!alone.Lead(t.Context(), key, id, time.Minute) {
				t.Errorf("%s does not lead", id)
			}
		}
		one.Land(t.Context(), "", "m1")
		alone.Land(t.Context(), key, "m1")
	})
}

func TestAProcessAloneKeepsItsOwnAnswers(t *testing.T) {
	t.Parallel()
	a := answers.New(answers.Config{})
	if _, ok := a.Get(t.Context(), key); ok {
		t.Error("it has what was never stored")
	}
	a.Put(t.Context(), key, answer(), time.Minute)
	if got, ok := a.Get(t.Context(), key); !ok || got.Output != answer().Output {
		t.Errorf("%v, %+v", ok, got)
	}
}

func TestWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := newClock()
	store := &outage{Store: answers.NewMemory().WithClock(c.now)}
	cfg := answers.Config{Store: store, Now: c.now, Log: slog.New(slog.NewTextHandler(&log, nil))}
	one, other := answers.New(cfg), answers.New(answers.Config{Store: store, Now: c.now})
	if !other.Lead(t.Context(), key, "m1", time.Minute) {
		t.Fatal("nobody leads")
	}
	store.away.Store(true)
	if !one.Lead(t.Context(), key, "m2", time.Minute) {
		t.Error("it does not lead: two calls are better than none")
	}
	if _, ok := one.Get(t.Context(), key); ok {
		t.Error("it has what was never stored")
	}
	one.Put(t.Context(), key, answer(), time.Minute)
	one.Land(t.Context(), key, "m2")
	if _, ok := one.Get(t.Context(), key); !ok {
		t.Error("it has not what it stored itself")
	}
	if _, ok := other.Get(t.Context(), key); ok {
		t.Error("the other has what could not be shared")
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "away") {
		t.Errorf("log = %s: want one line", got)
	}
	store.away.Store(false)
	if one.Lead(t.Context(), key, "m3", time.Minute) {
		t.Error("it leads beside m1, which still does")
	}
	if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "back") {
		t.Errorf("log = %s: want two lines", got)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	store.away.Store(true)
	one.Get(canceled, "other")
	if got := log.String(); strings.Count(got, "\n") != 2 {
		t.Errorf("log = %s: a caller that gave up says nothing about the store", got)
	}
}

func TestCachable(t *testing.T) {
	t.Parallel()
	good := events.Result{Status: events.StatusCompleted, Output: "x", FinishReason: "stop"}
	with := func(change func(*events.Result)) events.Result {
		r := good
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		result events.Result
		want   bool
	}{
		"an answer that ended by itself": {good, true},
		"tool calls": {with(func(r *events.Result) {
			r.Output, r.Message, r.FinishReason = "", json.RawMessage(`{"tool_calls":[{}]}`), "tool_calls"
		}), true},
		"a server that gives no reasons":     {with(func(r *events.Result) { r.FinishReason = "" }), true},
		"an answer cut at its bound":         {with(func(r *events.Result) { r.FinishReason = "length" }), false},
		"an answer cut by a filter":          {with(func(r *events.Result) { r.FinishReason = "content_filter" }), false},
		"a reason in another server's words": {with(func(r *events.Result) { r.FinishReason = "MAX_TOKENS" }), false},
		"a failure":                          {with(func(r *events.Result) { r.Status = events.StatusFailed }), false},
		"a cancellation":                     {with(func(r *events.Result) { r.Status = events.StatusCanceled }), false},
		"an answer that was cached":          {with(func(r *events.Result) { r.Cached = true }), false},
		"nothing":                            {with(func(r *events.Result) { r.Output = "" }), false},
	} {
		if got := answers.Cachable(c.result); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	want := answer()
	r := events.Result{
		MessageID: "id", ModelID: want.ModelID, Target: want.Target, Output: want.Output, Message: want.Message,
		FinishReason: want.FinishReason, Usage: want.Usage, Timings: events.Timings{CompletedAt: want.StoredAt},
	}
	if got := answers.Of(r); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
