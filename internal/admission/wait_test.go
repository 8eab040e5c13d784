package admission_test

import (
	"maps"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/admission"
	"baton.dev/baton/internal/health"
)

var (
	now     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	weights = map[events.Priority]int{events.High: 8, events.Normal: 3, events.Low: 1}
)

func TestBefore(t *testing.T) {
	t.Parallel()
	type lanes = map[string]int
	for name, c := range map[string]struct {
		queue    admission.Queue
		priority events.Priority
		tenant   string
		want     float64
	}{
		"nothing waits":                              {nil, events.Normal, "me", 0},
		"its own lane goes before it":                {admission.Queue{events.Normal: lanes{"": 40}}, events.Normal, "me", 40},
		"a class with nothing ahead waits for none":  {admission.Queue{events.High: lanes{"": 40}}, events.Low, "me", 0},
		"a heavier class goes first by its weight":   {admission.Queue{events.High: lanes{"": 4000}, events.Low: lanes{"": 10}}, events.Low, "me", 90},
		"but no more of it than there is":            {admission.Queue{events.High: lanes{"": 40}, events.Low: lanes{"": 10}}, events.Low, "me", 50},
		"a lighter class goes first by its weight":   {admission.Queue{events.High: lanes{"": 80}, events.Low: lanes{"": 1000}}, events.High, "me", 90},
		"classes add up":                             {admission.Queue{events.High: lanes{"": 80}, events.Normal: lanes{"": 1000}, events.Low: lanes{"": 5}}, events.High, "me", 115},
		"lanes of a class go in turn":                {admission.Queue{events.Normal: lanes{"": 10, "me": 5, "you": 100, "she": 2}}, events.Normal, "me", 17},
		"who has nothing in a lane apart goes first": {admission.Queue{events.Normal: lanes{"": 10, "you": 100}}, events.Normal, "me", 0},
		"the lane of all may be the shorter":         {admission.Queue{events.Normal: lanes{"": 3, "me": 50}}, events.Normal, "me", 6},
		"lanes apart without one of all":             {admission.Queue{events.Normal: lanes{"me": 50, "you": 10}}, events.Normal, "me", 0},
		"lanes apart of another class count as one":  {admission.Queue{events.High: lanes{"a": 60, "b": 60}, events.Normal: lanes{"": 30}}, events.Normal, "me", 110},
	} {
		if got := c.queue.Before(c.priority, c.tenant, weights); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// busy is a place with so many calls before, 10 at once and a latency of a second: 10 calls a second.
func busy(before float64) admission.Place {
	return admission.Place{
		Before: before, Concurrency: 10, Health: health.Status{Attempts: 100, Latency: time.Second, Rate: 10},
	}
}

// with returns the place, changed.
func with(p admission.Place, change func(*admission.Place)) admission.Place {
	change(&p)
	return p
}

func TestWait(t *testing.T) {
	t.Parallel()
	type levels = [][]admission.Place
	out := func(d time.Duration) func(*admission.Place) {
		return func(p *admission.Place) { p.Health.State, p.Health.Until = health.Open, now.Add(d) }
	}
	cold := func(p *admission.Place) { p.Health = health.Status{} }
	spare := func(p *admission.Place) { p.Spare = true }
	rolledBack := func(p *admission.Place) { p.Health.RolledBack = true }
	for name, c := range map[string]struct {
		levels levels
		want   time.Duration
	}{
		"no place at all":                                {nil, 0},
		"a model without targets":                        {levels{{}, {}}, 0},
		"room at once":                                   {levels{{busy(9)}}, 0},
		"one too many waits for one to end":              {levels{{busy(10)}}, 100 * time.Millisecond},
		"a backlog is worked off":                        {levels{{busy(1009)}}, 100 * time.Second},
		"a place with room takes it":                     {levels{{busy(1009), busy(3)}}, 0},
		"the one that is free first takes it":            {levels{{busy(1009), busy(19)}}, time.Second},
		"all work together":                              {levels{{busy(1009), busy(1010)}}, 100 * time.Second},
		"latency is not known":                           {levels{{with(busy(1009), func(p *admission.Place) { p.Health.Latency = 0 })}}, 0},
		"too few attempts were seen":                     {levels{{with(busy(1009), func(p *admission.Place) { p.Health.Attempts = 9 })}}, 0},
		"one of the places is not known":                 {levels{{busy(1009), with(busy(1009), cold)}}, 0},
		"no bound is known":                              {levels{{with(busy(1009), func(p *admission.Place) { p.Concurrency = 0 })}}, 0},
		"little work made it slow":                       {levels{{with(busy(1009), func(p *admission.Place) { p.Health.Rate = 0.1 })}}, 100 * time.Second},
		"faster than its latency says":                   {levels{{with(busy(1009), func(p *admission.Place) { p.Health.Rate = 20 })}}, 50 * time.Second},
		"half-open counts as up":                         {levels{{with(busy(1009), func(p *admission.Place) { p.Health.State = health.HalfOpen })}}, 100 * time.Second},
		"all out wait for the first that is back":        {levels{{with(busy(0), out(time.Minute)), with(busy(0), out(time.Hour))}}, time.Minute},
		"one that is due to be back counts as up":        {levels{{with(busy(0), out(0))}}, 0},
		"one that is out takes no part":                  {levels{{busy(1009), with(busy(0), out(time.Minute))}}, 100 * time.Second},
		"a canary that was rolled back takes no part":    {levels{{busy(1009), with(with(busy(0), spare), rolledBack)}}, 100 * time.Second},
		"nothing but a canary that was rolled back":      {levels{{with(busy(0), rolledBack)}}, 0},
		"a spare place with room takes its part alone":   {levels{{busy(1019), with(busy(0), spare)}}, 50 * time.Second},
		"a spare place alone takes it":                   {levels{{with(busy(1009), out(time.Minute)), with(busy(0), spare)}}, 0},
		"a fallback takes its part":                      {levels{{busy(1019)}, {busy(0)}}, 50 * time.Second},
		"a fallback that had no work is as fast":         {levels{{busy(1019)}, {with(busy(0), cold)}}, 50 * time.Second},
		"a fallback takes it when the others are out":    {levels{{with(busy(0), out(time.Hour))}, {busy(109)}}, 10 * time.Second},
		"a fallback that is out too may be back first":   {levels{{with(busy(0), out(time.Hour))}, {with(busy(0), out(time.Minute))}}, time.Minute},
		"a later fallback's backlog is not an earlier's": {levels{{busy(1019)}, {busy(0)}, {busy(1e6)}}, 50 * time.Second},
		"a fallback's backlog is not the first's":        {levels{{busy(19)}, {busy(1e6)}}, time.Second},
		"more than can be told is a very long time":      {levels{{busy(math.MaxFloat64)}}, math.MaxInt64 / 2},
		"a group of which one has room":                  {levels{{busy(1e6), busy(1e6), busy(1)}}, 0},
		"a level without places is passed over":          {levels{{}, {busy(109)}}, 10 * time.Second},
		"one out beside one that is not known":           {levels{{with(busy(0), out(time.Hour)), with(busy(50), cold)}}, 0},
		"two that are spare alone: the first free takes": {levels{{with(busy(1009), spare), with(busy(19), spare)}}, time.Second},
	} {
		got := admission.Wait(c.levels, now)
		if d := (got - c.want).Abs(); d > time.Millisecond && d > c.want/1e6 {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestBeforeIsWhatTheTurnsOfTheLanesGive works a queue off as the runtime does, and compares.
func TestBeforeIsWhatTheTurnsOfTheLanesGive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		queue := admission.Queue{}
		for _, p := range events.Priorities() {
			for _, tenant := range []string{"", "a", "b"} {
				if n := rapid.IntRange(0, 60).Draw(t, string(p)+tenant); n > 0 {
					if queue[p] == nil {
						queue[p] = map[string]int{}
					}
					queue[p][tenant] = n
				}
			}
		}
		p := rapid.SampledFrom(events.Priorities()).Draw(t, "priority")
		before := queue.Before(p, "a", weights)
		least := worked(queue, p, "")
		if queue[p]["a"]+queue[p]["b"] > 0 {
			least = min(least, worked(queue, p, "a"))
		}
		// The turns come in whole calls: of a round of the priorities, and of one of each lane beside the request's own.
		if round := 12.0; before > least+round || before < least-3*round {
			t.Fatalf("%v go before, of which turns give %v", before, least)
		}
	})
}

// worked returns how many calls begin before one that joins the tenant's lane, by smooth weighted turns of the priorities and
// plain turns of their lanes.
func worked(queue admission.Queue, mine events.Priority, tenant string) float64 {
	left := map[events.Priority]map[string]int{}
	for _, p := range events.Priorities() {
		left[p] = map[string]int{}
		maps.Copy(left[p], queue[p])
	}
	left[mine][tenant]++
	credit, turn := map[events.Priority]int{}, map[events.Priority]int{}
	order := []string{"", "a", "b"}
	for n := 0.0; ; n++ {
		var best events.Priority
		total := 0
		for _, p := range events.Priorities() {
			waiting := 0
			for _, l := range left[p] {
				waiting += l
			}
			if waiting == 0 {
				credit[p] = 0
				continue
			}
			total += weights[p]
			credit[p] += weights[p]
			if best == "" || credit[p] > credit[best] {
				best = p
			}
		}
		credit[best] -= total
		for i := range order {
			lane := order[(turn[best]+i)%3]
			if left[best][lane] == 0 {
				continue
			}
			turn[best] = (turn[best] + i + 1) % 3
			left[best][lane]--
			if best == mine && lane == tenant && left[best][lane] == 0 {
				return n
			}
			break
		}
	}
}
