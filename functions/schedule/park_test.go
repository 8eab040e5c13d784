package schedule_test

import (
	"fmt"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
)

func opened(d time.Duration) health.Status {
	return health.Status{State: health.Open, Until: now.Add(d)}
}

func TestATargetWhoseBreakerIsOpenIsPassedOver(t *testing.T) {
	t.Parallel()
	c := configured(4, map[string]int{"a": 100, "bb": 1})
	r := newRig(t, c, schedule.Config{Health: known{"a": opened(time.Minute)}})
	for n := range 100 {
		if out := r.one(request(n)); out.Target != "bb" {
			t.Fatalf("went to %s", out.Target)
		}
	}
	r = newRig(t, c, schedule.Config{Health: known{"a": opened(time.Minute), "bb": opened(time.Minute)}})
	if out := r.one(request(1)); out.Target != "fallback" {
		t.Errorf("went to %s, want the fallback", out.Target)
	}
}

func TestARequestIsParkedUntilTheFirstTargetCouldBeBack(t *testing.T) {
	t.Parallel()
	c := configured(4, map[string]int{"a": 1, "bb": 1})
	h := known{"a": opened(5 * time.Minute), "bb": opened(2 * time.Minute), "fallback": opened(time.Hour)}
	r := newRig(t, c, schedule.Config{Health: h})
	seen := map[time.Time]bool{}
	for n := range 100 {
		woken := r.parked(request(n))
		if wait := woken.NotBefore.Sub(now); wait < 2*time.Minute || wait > 2*time.Minute+12*time.Second {
			t.Fatalf("parked for %s, want 2m and up to a tenth more", wait)
		}
		seen[woken.NotBefore] = true
	}
	if len(seen) < 95 {
		t.Errorf("100 requests wake at %d times", len(seen))
	}
	woken := r.parked(request(1))
	r.now = woken.NotBefore
	delete(h, "bb")
	if out := r.one(woken); out.Target != "bb" || out.Attempt != 1 {
		t.Errorf("after it woke it went to %s as attempt %d", out.Target, out.Attempt)
	}
}

func TestWhereTheDeadlineLeavesNoTimeARequestFailsRatherThanWaits(t *testing.T) {
	t.Parallel()
	c := configured(4, map[string]int{"a": 1})
	r := newRig(t, c, schedule.Config{Health: known{"a": opened(time.Hour), "fallback": opened(2 * time.Hour)}})
	expectFailed(t, r.one(request(1)), events.CodeUnavailable) // its deadline is in an hour

	r = newRig(t, c, schedule.Config{Health: known{"a": opened(time.Hour - time.Second), "fallback": opened(2 * time.Hour)}})
	if woken := r.parked(request(1)); !woken.NotBefore.Before(woken.Expiry) {
		t.Errorf("parked until %v, and the deadline is %v", woken.NotBefore, woken.Expiry)
	}
}

func TestATargetThatMayBeTriedAgainIsPreferredToAWait(t *testing.T) {
	t.Parallel()
	r := newRig(t, configured(4, map[string]int{"a": 1, "bb": 1}), schedule.Config{
		Health: known{"bb": opened(time.Minute), "fallback": opened(time.Minute)},
	})
	if out := r.one(failedAt(request(1), "a", events.CodeTimeout)); out.Target != "a" || !out.NotBefore.After(now) {
		t.Errorf("went to %s at %v, want a after a pause", out.Target, out.NotBefore)
	}
	// What cannot pass is not tried again: it waits for the other one.
	r.parked(failedAt(request(1), "a", events.CodeQuotaExhausted))
}

func TestAHalfOpenTargetIsOfferedOneRequestASecond(t *testing.T) {
	t.Parallel()
	r := newRig(t, offering(model("m", target("a", 1))), schedule.Config{Health: known{"a": {State: health.HalfOpen}}})
	var offered []time.Duration
	for n := range 1000 {
		r.now = now.Add(time.Duration(n) * 10 * time.Millisecond)
		in := request(n)
		in.Time = r.now
		if out, _ := r.handler(t.Context(), in); len(out) > 0 {
			offered = append(offered, r.now.Sub(now))
			continue
		}
		woken := r.parked(in)
		if wait := woken.NotBefore.Sub(r.now); wait < leastWait || wait > 1200*time.Millisecond {
			t.Fatalf("parked for %s", wait)
		}
	}
	if len(offered) != 10 {
		t.Errorf("in 10s it was offered %d requests, at %v", len(offered), offered)
	}
}

const leastWait = 250 * time.Millisecond

func TestAnOpenTargetWhoseTimeIsOverIsOfferedARequestAsAHalfOpenOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, offering(model("m", target("a", 1))), schedule.Config{Health: known{"a": opened(0)}})
	if out := r.one(request(1)); out.Target != "a" {
		t.Errorf("went to %s", out.Target)
	}
	r.parked(request(2))
}

func TestARequestThatBouncedGoesElsewhereAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, offering(model("m", target("a", 1), target("b", 1))), schedule.Config{})
	for n := range 20 {
		out := r.one(bounced(request(n), "a", now))
		if out.Target != "b" || !out.NotBefore.IsZero() || out.Attempt != 2 || out.ID != out.Subject+"-scheduled-2" {
			t.Fatalf("went to %s at %v as attempt %d", out.Target, out.NotBefore, out.Attempt)
		}
	}
}

func TestARequestWithNoOtherChoiceThanWhatItBouncedOffIsParked(t *testing.T) {
	t.Parallel()
	r := newRig(t, offering(model("m", target("a", 1))), schedule.Config{})
	woken := r.parked(bounced(request(1), "a", now))
	if wait := woken.NotBefore.Sub(now); wait < leastWait || wait > time.Second {
		t.Errorf("parked for %s", wait)
	}
	r.now = now.Add(6 * time.Second)
	if out := r.one(woken); out.Target != "a" || out.Attempt != 2 {
		t.Errorf("after it woke it went to %s as attempt %d", out.Target, out.Attempt)
	}
}

func TestABounceIsNewsForOtherRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t, offering(model("m", target("a", 1))), schedule.Config{})
	r.parked(bounced(request(0), "a", now))
	r.parked(request(1))
	r.now = now.Add(1100 * time.Millisecond)
	if out := r.one(request(2)); out.Target != "a" {
		t.Errorf("after a second it went to %q", out.Target)
	}
	r.parked(request(3))
	r.now = now.Add(5 * time.Second)
	for n := range 10 {
		r.one(request(n)) // no bounce since: the doubt is over
	}
}

func TestBouncesAreNoAttempts(t *testing.T) {
	t.Parallel()
	m := model("m", target("a", 1), target("b", 1))
	m.Attempts = 2
	r := newRig(t, offering(m), schedule.Config{})
	in := bounced(bounced(request(1), "a", now), "b", now)
	in = failedAt(in, "a", events.CodeTimeout)
	if out := r.one(in); out.Target != "b" || out.Attempt != 4 {
		t.Errorf("went to %s as attempt %d", out.Target, out.Attempt)
	}
	expectFailed(t, r.one(failedAt(failedAt(request(1), "a", events.CodeTimeout), "b", events.CodeTimeout)), events.CodeAttemptsSpent)
}

// The longest outage that a request can see is its whole life; the runtime takes 128 hops for a loop, and follow fails there.
func TestAnOutageIsSurvivedInFewHops(t *testing.T) {
	t.Parallel()
	for _, targets := range []int{1, 2, 3, 10} {
		for _, tc := range []struct {
			name           string
			outage         time.Duration
			blind          bool // health says nothing: Redis is away
			wantPasses     int
			wantLate       time.Duration
			wantTerminal   bool
			deadline       time.Duration
			halfOpenBounce bool
		}{
			{name: "an hour that health knows of", outage: time.Hour, deadline: 24 * time.Hour, wantPasses: 2, wantLate: 35 * time.Second},
			{name: "an hour of refused probes", outage: time.Hour, deadline: 24 * time.Hour, halfOpenBounce: true, wantPasses: 30, wantLate: 40 * time.Minute},
			{name: "an hour while Redis is away", outage: time.Hour, deadline: 24 * time.Hour, blind: true, wantPasses: 30, wantLate: 40 * time.Minute},
			{name: "a minute while Redis is away", outage: time.Minute, deadline: time.Hour, blind: true, wantPasses: 16, wantLate: 40 * time.Second},
			{name: "a day while Redis is away", outage: 48 * time.Hour, deadline: 24 * time.Hour, blind: true, wantPasses: 60, wantTerminal: true},
			{name: "a short life while Redis is away", outage: time.Hour, deadline: 2 * time.Second, blind: true, wantPasses: 12, wantTerminal: true},
		} {
			t.Run(fmt.Sprintf("%d targets, %s", targets, tc.name), func(t *testing.T) {
				t.Parallel()
				for n := range 20 {
					m := model("m")
					for i := range targets {
						m.Targets = append(m.Targets, target(fmt.Sprintf("t%d", i), 1))
					}
					h := &outage{ends: now.Add(tc.outage), halfOpen: tc.halfOpenBounce}
					cfg := schedule.Config{Health: h}
					if tc.blind {
						cfg.Health = nil
					}
					r := newRig(t, offering(m), cfg)
					h.at = func() time.Time { return r.now }
					in := request(n)
					in.Expiry = now.Add(tc.deadline)
					f := r.follow(in, func(s events.Event, at time.Time) (events.Event, bool) {
						return sentBack(s, events.CodeBreakerOpen, at), at.Before(now.Add(tc.outage))
					})
					if n == 0 {
						t.Logf("%s after %s: %d passes, %d hops, parked %d times", f.last.Type.Step(), f.took, f.passes, f.last.Hops, f.parks)
					}
					if f.passes > tc.wantPasses {
						t.Errorf("passed on %d times, want %d at most", f.passes, tc.wantPasses)
					}
					if tc.wantTerminal {
						if f.last.Type != events.Failed || f.took > tc.deadline+10*time.Millisecond {
							t.Errorf("%s after %s", f.last.Type.Step(), f.took)
						}
						continue
					}
					if f.last.Type != events.Scheduled || f.took > tc.outage+tc.wantLate {
						t.Errorf("%s after %s, want it scheduled %s after the outage at most", f.last.Type.Step(), f.took, tc.wantLate)
					}
				}
			})
		}
	}
}

// outage is the health of targets that are out until it ends: open for half a minute at a time, or half-open.
type outage struct {
	ends     time.Time
	halfOpen bool
	at       func() time.Time
}

func (o *outage) Status(string) health.Status {
	switch at := o.at(); {
	case !at.Before(o.ends):
		return health.Status{}
	case o.halfOpen:
		return health.Status{State: health.HalfOpen}
	default:
		return health.Status{State: health.Open, Until: at.Truncate(30 * time.Second).Add(30 * time.Second)}
	}
}

func TestARequestThatNothingTakesFailsBeforeTheRuntimeTakesItForALoop(t *testing.T) {
	t.Parallel()
	in := request(1)
	for range 60 {
		in = bounced(in, "a", now)
	}
	if in.Hops > 126 {
		t.Fatalf("the event has made %d hops", in.Hops)
	}
	r := newRig(t, offering(model("m", target("a", 1), target("b", 1))), schedule.Config{})
	out := r.one(in)
	if out.Type != events.Failed || out.ErrorCode != events.CodeUnavailable {
		t.Errorf("emitted %s %s", out.Type.Step(), out.ErrorCode)
	}
}

func TestWhatABudgetRefusesGoesToACheaperTargetOrFails(t *testing.T) {
	t.Parallel()
	dear, cheap, mixed, same := target("dear", 1), target("cheap", 0), target("mixed", 8), target("same", 8)
	same.Price = catalog.Price{Input: 10, Output: 30}
	dear.Price, cheap.Price, mixed.Price = catalog.Price{Input: 10, Output: 30}, catalog.Price{Input: 10, Output: 20}, catalog.Price{Input: 5, Output: 60}
	c := offering(model("m", dear, cheap, mixed, same))
	r := newRig(t, c, schedule.Config{})
	in := failedAt(request(1), "dear", events.CodeBudgetSpent)
	in.Begun = 0
	if out := r.one(in); out.Target != "cheap" {
		t.Errorf("went to %s, want the cheaper one", out.Target)
	}
	in = failedAt(in, "cheap", events.CodeBudgetSpent)
	in.Begun = 0
	out := r.one(in)
	if out.Type != events.Failed || out.ErrorCode != events.CodeBudgetSpent {
		t.Errorf("emitted %s %s", out.Type.Step(), out.ErrorCode)
	}
}
