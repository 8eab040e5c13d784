package replay

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
)

var start = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// past returns a history with a call each so often, which took as many milliseconds as its number.
func past(n int, every time.Duration) *history {
	h := &history{own: map[string][]outcome{}}
	for i := range n {
		h.add(fmt.Sprint("m", i), outcome{began: start.Add(time.Duration(i) * every), service: time.Duration(i) * time.Millisecond})
	}
	h.sort()
	return h
}

func TestACallGoesAsThisRequestsOwnDid(t *testing.T) {
	t.Parallel()
	h := past(100, time.Second)
	h.add("m7", outcome{began: start.Add(time.Hour), service: time.Hour, code: events.CodeTimeout})
	h.sort()
	if got := h.draw("m7", 0, start, "x", 1); got.service != 7*time.Millisecond {
		t.Errorf("the first took %v", got.service)
	}
	if got := h.draw("m7", 1, start, "x", 1); got.code != events.CodeTimeout {
		t.Errorf("the second is %+v", got)
	}
}

func TestACallGoesAsOthersDidAboutThen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		h         *history
		after     time.Duration
		low, high int
	}{
		"within a minute":           {past(1000, time.Second), 500 * time.Second, 440, 560},
		"the nearest where few are": {past(1000, time.Hour), 500 * time.Hour, 490, 510},
		"at the beginning":          {past(1000, time.Hour), -time.Hour, 0, 19},
		"at the end":                {past(1000, time.Hour), 2000 * time.Hour, 980, 999},
		"all where all are few":     {past(5, time.Hour), 2 * time.Hour, 0, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			low, high := math.MaxInt, 0
			for n := range 2000 {
				o := tc.h.draw("new", 0, start.Add(tc.after), callLabel("new", "a", n), 1)
				low, high = min(low, int(o.service.Milliseconds())), max(high, int(o.service.Milliseconds()))
			}
			if low < tc.low || high > tc.high || low > tc.low+3 || high < tc.high-3 {
				t.Errorf("drawn from %d to %d, want %d to %d", low, high, tc.low, tc.high)
			}
		})
	}
}

func TestACallThatTheDeadlineCutShortTakesLongerThanThat(t *testing.T) {
	t.Parallel()
	h := past(100, time.Second)
	h.add("cut", outcome{began: start, service: 90 * time.Millisecond, code: events.CodeDeadline})
	h.add("long", outcome{began: start, service: time.Hour, code: events.CodeDeadline})
	for n := range 100 {
		if o := h.draw("cut", 0, start, callLabel("cut", "a", n), 1); o.service <= 90*time.Millisecond || o.code != "" {
			t.Fatalf("it is %+v", o)
		}
	}
	if o := h.draw("long", 0, start, "x", 1); o.service != never {
		t.Errorf("one that took longer than any takes %v", o.service)
	}
}

func TestAssumptions(t *testing.T) {
	t.Parallel()
	name, a, err := ParseAssumption("new=300ms,1.2s,0.25")
	if err != nil || name != "new" || a != (Assumption{300 * time.Millisecond, 1200 * time.Millisecond, 0.25}) {
		t.Fatalf("%s, %+v, %v", name, a, err)
	}
	var times []time.Duration
	failed := 0
	for n := range 20_000 {
		o := a.draw(callLabel("m", "new", n), 1)
		times = append(times, o.service)
		if o.code != "" {
			failed++
		}
	}
	for q, want := range map[float64]time.Duration{0.5: a.P50, 0.99: a.P99} {
		if got := quantile(times, q); math.Abs(float64(got-want)) > 0.05*float64(want) {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if share := float64(failed) / 20_000; math.Abs(share-0.25) > 0.01 {
		t.Errorf("%.3f failed, want 0.25", share)
	}
	if got := (Assumption{P50: time.Second, P99: time.Second}).draw("x", 1).service; got != time.Second {
		t.Errorf("one that always takes a second took %v", got)
	}
	for text, want := range map[string]float64{"10%": 0.1, "0%": 0, "100%": 1, "0.5%": 0.005, "1": 1, "0.25": 0.25} {
		if _, a, err := ParseAssumption("new=1s,2s," + text); err != nil || a.ErrorRate != want {
			t.Errorf("%q is %v, %v", text, a.ErrorRate, err)
		}
	}
	for _, text := range []string{
		"new=1s,2s,101%", "new=1s,2s,-1%", "new=1s,2s,%", "new=1s,2s,NaN%", "new=1s,2s,1%%", "new=1s,2s,1 %", "new=1s,2s,10",
		"", "new", "new=", "new=1s", "new=1s,2s,3,4", "NEW=1s,2s", "=1s,2s", "new=2s,1s", "new=-1s,2s", "new=1s,2h", "new=1s,2s,1.5", "new=1s,2s,NaN", "new=1,2",
	} {
		if _, _, err := ParseAssumption(text); err == nil || !strings.Contains(err.Error(), "want NAME=P50,P99") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestLanesAreServedByWeight(t *testing.T) {
	t.Parallel()
	s := newServer(&catalog.Target{}, nil, drawer{}, map[events.Priority]int{events.High: 8, events.Normal: 3, events.Low: 1})
	for _, p := range events.Priorities() {
		for n := range 1000 {
			s.add(job{in: events.Event{Priority: p, Attempt: n}})
		}
	}
	served := map[events.Priority]int{}
	for range 1200 {
		j, ok := s.next()
		if !ok || j.in.Attempt != served[j.in.Priority] {
			t.Fatalf("%s is served its %d. as the %d.", j.in.Priority, j.in.Attempt, served[j.in.Priority])
		}
		served[j.in.Priority]++
	}
	if served[events.High] != 800 || served[events.Normal] != 300 || served[events.Low] != 100 {
		t.Errorf("served %v", served)
	}
	for range 1800 {
		s.next()
	}
	if j, ok := s.next(); ok {
		t.Errorf("one is left: %+v", j)
	}
}

func TestTheAgendaGoesByTimeAndThenByOrder(t *testing.T) {
	t.Parallel()
	a := agenda{now: start}
	var did []string
	do := func(what string) func() { return func() { did = append(did, what) } }
	a.at(start.Add(2*time.Second), do("d"))
	a.at(start.Add(time.Second), func() {
		do("b")()
		a.at(start, do("c")) // which is past
	})
	a.at(start, do("a"))
	a.at(start.Add(2*time.Second), do("e"))
	for range 5 {
		a.next()
	}
	if a.next() {
		t.Error("there is more to do")
	}
	if got := strings.Join(did, ""); got != "abcde" || !a.now.Equal(start.Add(2*time.Second)) {
		t.Errorf("did %s until %v", got, a.now)
	}
}

func TestQuantilesAreNearestRank(t *testing.T) {
	t.Parallel()
	var all []time.Duration
	for i := range 100 {
		all = append(all, time.Duration(100-i))
	}
	for q, want := range map[float64]time.Duration{0: 1, 0.1: 10, 0.5: 50, 0.9: 90, 0.99: 99, 1: 100} {
		if got := quantile(all, q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("the quantile of nothing is not 0")
	}
}
