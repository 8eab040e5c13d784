package schedule_test

import (
	"maps"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
)

// withCanary returns a configuration in which a canary takes a fifth of the model's requests.
func withCanary() *catalog.Catalog {
	m := model("m", target("a", 1), target("b", 1), &catalog.Target{Name: "next", Weight: 1, Canary: 0.2})
	m.Fallback = []string{"f"}
	return offering(m, model("f", target("fallback", 1)))
}

// inShare returns a request that is in the canary's share, or one that is not.
func inShare(t *testing.T, c *catalog.Catalog, in bool) events.Event {
	t.Helper()
	r := newRig(t, c, schedule.Config{})
	for n := range 1000 {
		if e := request(n); (r.one(e).Target == "next") == in {
			return e
		}
	}
	t.Fatal("there is no such request")
	return events.Event{}
}

func TestACanaryIsStickyByRequest(t *testing.T) {
	t.Parallel()
	c := withCanary()
	in := inShare(t, c, true)
	t.Run("it goes first on a later attempt too, as long as it was not tried", func(t *testing.T) {
		t.Parallel()
		h := known{"next": opened(time.Minute)}
		r := newRig(t, c, schedule.Config{Health: h})
		first := r.one(in)
		if first.Target == "next" {
			t.Fatal("a canary that is out got a request")
		}
		delete(h, "next")
		if out := r.one(failedAt(in, first.Target, events.CodeTimeout)); out.Target != "next" {
			t.Errorf("the second attempt went to %s", out.Target)
		}
	})
	t.Run("when it fails the stable ones take over, and then the fallbacks", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, c, schedule.Config{})
		e := failedAt(in, "next", events.CodeTimeout)
		for range 2 {
			out := r.one(e)
			if out.Target != "a" && out.Target != "b" {
				t.Fatalf("went to %s", out.Target)
			}
			e = failedAt(e, out.Target, events.CodeTimeout)
		}
		if out := r.one(e); out.Target != "fallback" {
			t.Errorf("went to %s", out.Target)
		}
	})
	t.Run("one that bounced off it goes to a stable one at once", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, c, schedule.Config{})
		if out := r.one(bounced(in, "next", now)); out.Target != "a" && out.Target != "b" {
			t.Errorf("went to %s", out.Target)
		}
	})
	t.Run("one that is half-open gets a request a second", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, c, schedule.Config{Health: known{"next": {State: health.HalfOpen}}})
		got := map[string]int{}
		for n := range 300 {
			r.now = now.Add(time.Duration(n) * 10 * time.Millisecond)
			got[r.one(in).Target]++
		}
		if got["next"] != 3 {
			t.Errorf("in 3s the requests went to %v", got)
		}
	})
}

func TestOtherRequestsGoToACanaryOnlyWhenNothingElseIsLeft(t *testing.T) {
	t.Parallel()
	c := withCanary()
	in := inShare(t, c, false)
	allOut := func(more known) known {
		h := known{"a": opened(time.Minute), "b": opened(time.Minute), "fallback": opened(time.Minute)}
		maps.Copy(h, more)
		return h
	}
	t.Run("not before the fallbacks", func(t *testing.T) {
		t.Parallel()
		h := allOut(nil)
		delete(h, "fallback")
		if out := newRig(t, c, schedule.Config{Health: h}).one(in); out.Target != "fallback" {
			t.Errorf("went to %s", out.Target)
		}
	})
	t.Run("not before another try of what may pass", func(t *testing.T) {
		t.Parallel()
		e := failedAt(failedAt(failedAt(in, "a", events.CodeTimeout), "b", events.CodeTimeout), "fallback", events.CodeTimeout)
		if out := newRig(t, c, schedule.Config{}).one(e); out.Target == "next" || !out.NotBefore.After(now) {
			t.Errorf("went to %s at %v", out.Target, out.NotBefore)
		}
	})
	t.Run("when all others are out", func(t *testing.T) {
		t.Parallel()
		if out := newRig(t, c, schedule.Config{Health: allOut(nil)}).one(in); out.Target != "next" {
			t.Errorf("went to %s", out.Target)
		}
	})
	for name, s := range map[string]health.Status{
		"not to one that was rolled back": {RolledBack: true},
		"not to one that is half-open":    {State: health.HalfOpen},
		"not to one that is open":         {State: health.Open, Until: now.Add(time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			woken := newRig(t, c, schedule.Config{Health: allOut(known{"next": s})}).parked(in)
			if woken.NotBefore.Before(now.Add(time.Minute)) {
				t.Errorf("parked until %v", woken.NotBefore)
			}
		})
	}
}

func TestAShadowGetsItsShareOfCopies(t *testing.T) {
	t.Parallel()
	c := offering(model("m", target("a", 1),
		&catalog.Target{Name: "copy", Weight: 100, Shadow: 0.1}, &catalog.Target{Name: "other", Weight: 100, Shadow: 0.3}))
	r := newRig(t, c, schedule.Config{})
	got, both := map[string]int{}, 0
	for n := range many {
		in := request(n)
		in.CacheKey, in.CallbackURL = "k", "https://receiver.example/"
		out, shadows := r.do(in)
		if out.Target != "a" || out.Shadow {
			t.Fatalf("the request went to %s", out.Target)
		}
		if len(shadows) > 1 {
			both++
		}
		for _, s := range shadows {
			got[s.Target]++
			if !s.Shadow || s.ID != out.ID+"-shadow" || s.CacheKey != "" || s.CallbackURL != "" || s.Expiry != now.Add(time.Minute) || s.Type != events.Scheduled {
				t.Fatalf("the copy is %+v", s)
			}
		}
	}
	expectShares(t, "shadows", got, map[string]float64{"copy": 0.1, "other": 0.3}, 0.005)
	if both > 0 {
		t.Errorf("%d requests were copied twice", both)
	}
}

func TestWhatIsNotCopied(t *testing.T) {
	t.Parallel()
	c := offering(model("m", target("a", 1), target("b", 1), &catalog.Target{Name: "copy", Weight: 1, Shadow: 1}))
	r := newRig(t, c, schedule.Config{})
	soon := request(1)
	soon.Expiry = now.Add(time.Second)
	if _, shadows := r.do(soon); len(shadows) != 1 || shadows[0].Expiry != soon.Expiry {
		t.Errorf("the copy of a request that ends in a second is %v", shadows)
	}
	r.one(failedAt(request(1), "a", events.CodeTimeout)) // a later attempt
	r.one(bounced(request(1), "a", now))

	out := newRig(t, c, schedule.Config{Health: known{"copy": opened(time.Minute)}})
	out.one(request(1)) // the target is out

	half := newRig(t, c, schedule.Config{Health: known{"copy": {State: health.HalfOpen}}})
	if _, shadows := half.do(request(1)); len(shadows) != 1 {
		t.Error("a shadow that is half-open gets no probe")
	}
	half.one(request(2))

	last := newRig(t, c, schedule.Config{Health: known{"a": opened(time.Minute), "b": opened(time.Minute)}})
	last.parked(request(1)) // a shadow takes no requests, whatever is out
}

func TestAGroupIsTriedInAnOrderOfTheMessages(t *testing.T) {
	t.Parallel()
	group := &catalog.Model{
		ID: "m", Attempts: 5, Fallback: []string{"f"},
		Group: []catalog.Member{{Model: "x", Weight: 1}, {Model: "y", Weight: 1}, {Model: "gone", Weight: 1}},
	}
	x, y := model("x", target("x1", 1), target("x2", 1)), model("y", target("y1", 1))
	x.Attempts, y.Attempts = 1, 1 // the attempts are the group's
	c := offering(group, x, y, model("f", target("fallback", 1)))
	orders := map[string]int{}
	for n := range 200 {
		r := newRig(t, c, schedule.Config{})
		in, order := request(n), make([]byte, 0, 4)
		for range 4 {
			out := r.one(in)
			order = append(order, out.Target[0])
			in = failedAt(in, out.Target, events.CodeTimeout)
		}
		orders[string(order)]++
	}
	if len(orders) != 2 || orders["xxyf"] < 60 || orders["yxxf"] < 60 {
		t.Errorf("the orders are %v", orders)
	}
	expectFailed(t, newRig(t, offering(&catalog.Model{ID: "m", Attempts: 1, Group: group.Group}), schedule.Config{}).one(request(1)), events.CodeNoTarget)
}
