package schedule_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
)

const many = 100_000

// chosen counts where the attempts of many requests go, the given number of them each, all but the last failing.
func chosen(t *testing.T, c *catalog.Catalog, cfg schedule.Config, attempts int) []map[string]int {
	t.Helper()
	r := newRig(t, c, cfg)
	counts := make([]map[string]int, attempts)
	for i := range counts {
		counts[i] = map[string]int{}
	}
	for n := range many {
		in := request(n)
		for i := range attempts {
			out, _ := r.do(in)
			counts[i][out.Target]++
			in = failedAt(in, out.Target, events.CodeTimeout)
		}
	}
	return counts
}

// expectShares compares counts with shares, to within a tolerance, and prints both.
func expectShares(t *testing.T, what string, got map[string]int, want map[string]float64, within float64) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		share := float64(got[name]) / many
		t.Logf("%-28s %-8s %7.3f%%, want %7.3f%%", what, name, 100*share, 100*want[name])
		if math.Abs(share-want[name]) > within {
			t.Errorf("%s: %s got %.4f of the requests, want %.4f", what, name, share, want[name])
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s got %d requests", what, name, got[name])
		}
	}
}

func TestSharesOfManyRequests(t *testing.T) {
	t.Parallel()
	three := func(m *catalog.Model) *catalog.Catalog {
		m.Targets = []*catalog.Target{target("a", 5), target("b", 3), target("c", 2)}
		return offering(m)
	}
	canary := func(name string, share float64) *catalog.Target {
		return &catalog.Target{Name: name, Weight: 9, Canary: share}
	}
	group := &catalog.Model{ID: "m", Attempts: 4, Group: []catalog.Member{{Model: "x", Weight: 7}, {Model: "y", Weight: 2}, {Model: "z", Weight: 1}}}
	members := offering(group, model("x", target("x1", 3), target("x2", 1)), model("y", target("y1", 1)), model("z", target("z1", 1)))
	// The share of the second attempts, when the first failed, by weights without replacement.
	second := map[string]float64{"a": 0.3*5/7 + 0.2*5/8, "b": 0.5*3/5 + 0.2*3/8, "c": 0.5*2/5 + 0.3*2/7}
	first := map[string]float64{"a": 0.5, "b": 0.3, "c": 0.2}
	for name, tc := range map[string]struct {
		catalog  *catalog.Catalog
		health   known
		attempts []map[string]float64
		within   float64
	}{
		"weighted": {
			three(model("m")), nil,
			[]map[string]float64{first, second, {"a": 1 - 0.5 - second["a"], "b": 1 - 0.3 - second["b"], "c": 1 - 0.2 - second["c"]}},
			0.01,
		},
		"round robin": {three(&catalog.Model{ID: "m", Attempts: 4, Strategy: catalog.RoundRobin}), nil, []map[string]float64{first}, 0},
		"adaptive, of which nothing is known": {
			three(&catalog.Model{ID: "m", Attempts: 4, Strategy: catalog.Adaptive}), nil, []map[string]float64{first, second}, 0.01,
		},
		"a canary of 5%": {
			offering(model("m", target("a", 3), canary("next", 0.05), target("b", 1))), nil,
			[]map[string]float64{{"a": 0.95 * 0.75, "b": 0.95 * 0.25, "next": 0.05}, {"a": 0.95*0.25 + 0.05*0.75, "b": 0.95*0.75 + 0.05*0.25}},
			0.005,
		},
		"two canaries": {
			offering(model("m", canary("next", 0.05), target("a", 1), canary("other", 0.2))), nil,
			[]map[string]float64{{"a": 0.75, "next": 0.05, "other": 0.2}},
			0.005,
		},
		"a canary that is withdrawn": {
			offering(model("m", canary("next", 0.05), target("a", 1), canary("other", 0.2))),
			known{"next": {RolledBack: true}, "other": {State: health.Open, Until: now.Add(time.Minute)}},
			[]map[string]float64{{"a": 1}},
			0,
		},
		"a group": {
			members, nil,
			[]map[string]float64{{"x1": 0.7 * 0.75, "x2": 0.7 * 0.25, "y1": 0.2, "z1": 0.1}},
			0.005,
		},
		"a group of which a member is out": {
			members,
			known{"x1": opened(time.Minute), "x2": opened(time.Minute)},
			[]map[string]float64{{"y1": 2.0 / 3, "z1": 1.0 / 3}},
			0.005,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := schedule.Config{Health: tc.health}
			for i, got := range chosen(t, tc.catalog, cfg, len(tc.attempts)) {
				expectShares(t, fmt.Sprintf("%s, attempt %d", name, i+1), got, tc.attempts[i], tc.within)
			}
		})
	}
}

func TestRoundRobin(t *testing.T) {
	t.Parallel()
	robin := func(targets ...*catalog.Target) *catalog.Model {
		m := model("m", targets...)
		m.Strategy = catalog.RoundRobin
		return m
	}
	turns := func(r *rig, n int) string {
		var s strings.Builder
		for i := range n {
			s.WriteString(r.one(request(i)).Target)
		}
		return s.String()
	}
	t.Run("spreads the turns of a heavy target, as nginx does", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, offering(robin(target("a", 5), target("b", 1), target("c", 1), target("z", 0))), schedule.Config{})
		if got := turns(r, 14); got != "aabacaaaabacaa" {
			t.Errorf("turns %s", got)
		}
	})
	t.Run("goes on where it was when the configuration changes", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, offering(robin(target("a", 1), target("b", 1), target("c", 1))), schedule.Config{})
		if got := turns(r, 4); got != "abca" {
			t.Errorf("turns %s", got)
		}
		r.catalog = offering(robin(target("d", 1), target("c", 1), target("b", 1), target("a", 1)))
		if got := turns(r, 8); got != "cbdacbda" { // a has just had its turn
			t.Errorf("turns %s", got)
		}
	})
	t.Run("gives the turns of one that is out to the others", func(t *testing.T) {
		t.Parallel()
		h := known{"b": opened(time.Minute)}
		r := newRig(t, offering(robin(target("a", 1), target("b", 1), target("c", 1))), schedule.Config{Health: h})
		if got := turns(r, 6); got != "acacac" {
			t.Errorf("turns %s", got)
		}
		delete(h, "b")
		if got := turns(r, 6); got != "abcabc" {
			t.Errorf("turns %s", got)
		}
	})
}

func TestLeastLatency(t *testing.T) {
	t.Parallel()
	m := model("m", target("a", 1), target("b", 1), target("c", 1), target("z", 0))
	m.Strategy = catalog.LeastLatency
	t.Run("takes the faster of two, so that the fastest takes the most and the slowest none", func(t *testing.T) {
		t.Parallel()
		got := chosen(t, offering(m), schedule.Config{Health: known{
			"a": {Latency: time.Second}, "b": {Latency: 2 * time.Second}, "c": {Latency: 3 * time.Second}, "z": {Latency: time.Millisecond},
		}}, 1)
		// Of the three pairs, a is in two and b in two: once with a.
		expectShares(t, "least latency", got[0], map[string]float64{"a": 2.0 / 3, "b": 1.0 / 3}, 0.01)
	})
	t.Run("tries one whose latency is unknown", func(t *testing.T) {
		t.Parallel()
		got := chosen(t, offering(m), schedule.Config{Health: known{"a": {Latency: time.Second}, "c": {Latency: 3 * time.Second}}}, 1)
		expectShares(t, "one unknown", got[0], map[string]float64{"a": 1.0 / 3, "b": 2.0 / 3}, 0.01)
	})
	t.Run("is by weight where nothing is known", func(t *testing.T) {
		t.Parallel()
		got := chosen(t, offering(m), schedule.Config{}, 1)
		expectShares(t, "none known", got[0], map[string]float64{"a": 1.0 / 3, "b": 1.0 / 3, "c": 1.0 / 3}, 0.01)
	})
}
