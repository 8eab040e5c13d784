package schedule_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
)

// cached is a rig with a cache, whose model is m with the targets a, the canary next, and the fallback f.
type cached struct {
	*rig
	answers *answers.Answers
}

func newCached(t *testing.T, h known) cached {
	t.Helper()
	m := model("m", target("a", 1), &catalog.Target{Name: "next", Canary: 0.2})
	m.Cache, m.Fallback = time.Hour, []string{"f"}
	var r *rig
	a := answers.New(answers.Config{Store: answers.NewMemory().WithClock(func() time.Time { return r.now }), Now: func() time.Time { return r.now }})
	r = newRig(t, offering(m, model("f", target("fallback", 1))), schedule.Config{Answers: a, Health: h})
	return cached{r, a}
}

// asked returns a request that may be cached, from those in the canary's share or from the others.
func (c cached) asked(n int, canary bool) events.Event {
	c.t.Helper()
	for ; ; n += 1000 {
		in := request(n)
		if (newRig(c.t, c.catalog, schedule.Config{}).one(in).Target == "next") == canary {
			in.CacheKey = "key"
			return in
		}
	}
}

var answer = answers.Answer{
	ModelID: "m", Target: "b", Output: "hi", Message: json.RawMessage(`{"role":"assistant","content":"hi"}`), FinishReason: "stop",
	Usage: &events.Usage{PromptTokens: 1, CompletionTokens: 2, TotalTokens: 3},
}

func TestAnAnswerThatIsThereEndsARequest(t *testing.T) {
	t.Parallel()
	c := newCached(t, nil)
	c.answers.Put(t.Context(), "key", answer, time.Hour)
	c.now = now.Add(1500 * time.Millisecond)
	in := c.asked(1, false)
	out := c.one(in)
	if out.Type != events.Completed || out.Attempt != 0 || out.Target != "b" || out.ID != in.Subject+"-completed-0" ||
		out.Source != "/baton/schedule" || out.DataSchema != events.ResultSchemaURI {
		t.Fatalf("emitted %+v", out)
	}
	want := `{"message_id":"` + in.Subject + `","request_id":"` + requestID(t, in) + `","status":"completed","model_id":"m","target":"b",` +
		`"output":"hi","message":{"role":"assistant","content":"hi"},"finish_reason":"stop",` +
		`"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3},"cached":true,"attempts":0,` +
		`"timings":{"accepted_at":"2026-01-02T03:04:05Z","completed_at":"2026-01-02T03:04:06.5Z","queue_ms":1500,"inference_ms":0},` +
		`"metadata":{"k":"v"}}`
	if string(out.Data) != want {
		t.Errorf("the result is\n%s, want\n%s", out.Data, want)
	}
}

func requestID(t *testing.T, in events.Event) string {
	t.Helper()
	var r events.Request
	if err := json.Unmarshal(in.Data, &r); err != nil {
		t.Fatal(err)
	}
	return r.RequestID
}

func TestWhoDoesNotLookForAnAnswer(t *testing.T) {
	t.Parallel()
	c := newCached(t, nil)
	c.answers.Put(t.Context(), "key", answer, time.Hour)
	in := c.asked(1, false)

	without := in
	without.CacheKey = ""
	late := in
	late.Expiry = c.now
	uncached := newCached(t, nil)
	uncached.catalog.Models["m"].Cache = 0
	uncached.answers.Put(t.Context(), "key", answer, time.Hour)
	for name, out := range map[string]events.Event{
		"a request that opted out":         c.one(without),
		"a request of a canary's share":    c.one(c.asked(1, true)),
		"a request that was tried":         c.one(failedAt(in, "a", events.CodeTimeout)),
		"a request of an uncached model":   uncached.one(in),
		"a request whose deadline is over": c.one(late),
	} {
		if out.Type == events.Completed {
			t.Errorf("%s was answered from the cache", name)
		}
	}
}

func TestEqualRequestsWaitForTheOneThatLeads(t *testing.T) {
	t.Parallel()
	c := newCached(t, nil)
	leader := c.one(c.asked(1, false))
	if leader.Target != "a" || leader.CacheKey != "key" {
		t.Fatalf("the leader goes to %s with key %q", leader.Target, leader.CacheKey)
	}
	if again := c.one(c.asked(1, false)); again.Target != "a" {
		t.Error("a repeat of the leader does not lead")
	}
	follower := c.asked(2, false)
	for _, ms := range []int{100, 200, 400, 800, 1600, 2000, 2000} {
		woken := c.parked(follower)
		most := time.Duration(ms) * time.Millisecond
		if wait := woken.NotBefore.Sub(c.now); wait < most/2 || wait > most {
			t.Errorf("look %d is after %s, want half to all of %s", follower.Copy, wait, most)
		}
		follower, c.now = woken, woken.NotBefore
	}
	c.answers.Put(t.Context(), "key", answer, time.Hour)
	if out := c.one(follower); out.Type != events.Completed || out.Attempt != 0 {
		t.Errorf("emitted %s", out.Type.Step())
	}
}

func TestALeadEnds(t *testing.T) {
	t.Parallel()
	// leads reports whether another request leads.
	leads := func(c cached) bool {
		out, err := c.handler(c.t.Context(), c.asked(2, false))
		if (hop.Limits{}).Classify(c.asked(2, false), err).Kind == hop.Parked {
			return false
		}
		return len(out) == 1 && out[0].Type == events.Scheduled
	}
	t.Run("when the leader fails for good", func(t *testing.T) {
		t.Parallel()
		c := newCached(t, nil)
		in := c.asked(1, false)
		c.one(in)
		expectFailed(t, c.one(failedAt(in, "a", events.CodeInvalidRequest)), events.CodeInvalidRequest)
		if !leads(c) {
			t.Error("nobody else leads")
		}
	})
	t.Run("when the leader goes on to another model, whose answer is not kept", func(t *testing.T) {
		t.Parallel()
		c := newCached(t, nil)
		in := c.asked(1, false)
		c.one(in)
		if out := c.one(failedAt(in, "a", events.CodeTimeout)); out.Target != "fallback" || out.CacheKey != "" {
			t.Errorf("the leader goes to %s with key %q", out.Target, out.CacheKey)
		}
		if !leads(c) {
			t.Error("nobody else leads")
		}
	})
	t.Run("when nothing is decided about the leader for two minutes", func(t *testing.T) {
		t.Parallel()
		c := newCached(t, nil)
		c.one(c.asked(1, false))
		c.now = now.Add(2*time.Minute - time.Second)
		if leads(c) {
			t.Error("another leads too early")
		}
		c.now = now.Add(2 * time.Minute)
		if !leads(c) {
			t.Error("nobody else leads")
		}
	})
	t.Run("not while the slowest target may be answering, and a minute", func(t *testing.T) {
		t.Parallel()
		c := newCached(t, nil)
		slow := target("slow", 1)
		slow.Timeout = 5 * time.Minute
		c.catalog.Models["m"].Targets = append(c.catalog.Models["m"].Targets, slow,
			&catalog.Target{Name: "copies", Shadow: 0.001, Timeout: time.Hour})
		in := c.asked(1, false)
		if _, err := c.handler(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		c.now = now.Add(6*time.Minute - time.Second)
		if leads(c) {
			t.Error("another leads too early")
		}
		c.now = now.Add(6 * time.Minute)
		if !leads(c) {
			t.Error("nobody else leads")
		}
	})
	t.Run("not while infer renews it", func(t *testing.T) {
		t.Parallel()
		c := newCached(t, nil)
		first := c.asked(1, false)
		c.one(first)
		for c.now.Before(now.Add(25 * time.Minute)) {
			c.now = c.now.Add(40 * time.Second)
			if !c.answers.Lead(t.Context(), "key", first.Subject, 2*time.Minute) || leads(c) {
				t.Fatalf("another leads after %v", c.now.Sub(now))
			}
		}
	})
	t.Run("not while the leader tries again", func(t *testing.T) {
		t.Parallel()
		c := newCached(t, nil)
		c.catalog.Models["m"].Fallback = nil
		in := c.asked(1, false)
		c.one(in)
		c.now = now.Add(100 * time.Second)
		if out := c.one(failedAt(in, "a", events.CodeTimeout)); out.Target != "a" || out.CacheKey != "key" {
			t.Errorf("the leader goes to %s with key %q", out.Target, out.CacheKey)
		}
		c.now = now.Add(200 * time.Second)
		if leads(c) {
			t.Error("another leads")
		}
	})
	t.Run("not while the leader is parked", func(t *testing.T) {
		t.Parallel()
		h := known{"a": opened(time.Minute), "next": opened(time.Minute), "fallback": opened(time.Minute)}
		c := newCached(t, h)
		woken := c.parked(c.asked(1, false))
		if leads(c) {
			t.Error("another leads")
		}
		clear(h)
		if leads(c) {
			t.Error("another leads")
		}
		c.now = woken.NotBefore
		if out := c.one(woken); out.Target != "a" {
			t.Errorf("the leader goes to %s", out.Target)
		}
	})
}

func TestACanarysAnswerIsNotKept(t *testing.T) {
	t.Parallel()
	c := newCached(t, nil)
	in := c.asked(1, true)
	out := c.one(in)
	if out.Target != "next" || out.CacheKey != "" {
		t.Errorf("goes to %s with key %q", out.Target, out.CacheKey)
	}
	if leader := c.one(c.asked(2, false)); leader.CacheKey != "key" {
		t.Error("a request of the canary's share leads")
	}
}

// away is a store of answers that cannot be reached.
type away struct{ answers.Store }

func (away) Get(context.Context, string) ([]byte, error) { return nil, errAway }
func (away) Lead(context.Context, string, string, time.Time, time.Duration) (string, error) {
	return "", errAway
}
func (away) Land(context.Context, string, string) error { return errAway }
func (away) Widen(context.Context, string, string, int, time.Time, time.Duration) error {
	return errAway
}

func TestWhileTheStoreIsAwayEveryRequestGoesItsOwnWay(t *testing.T) {
	t.Parallel()
	a := answers.New(answers.Config{Store: away{}, Now: func() time.Time { return now }})
	m := model("m", target("a", 1))
	m.Cache = time.Hour
	r := newRig(t, offering(m), schedule.Config{Answers: a})
	for n := range 3 {
		in := request(n)
		in.CacheKey = "key"
		if out := r.one(in); out.Target != "a" || out.CacheKey != "key" {
			t.Errorf("goes to %s with key %q", out.Target, out.CacheKey)
		}
	}
}
