package schedule

import (
	"maps"
	"sync"

	"baton.dev/baton/internal/catalog"
)

// roundRobin takes the targets of each model in turn, those with more weight more often and evenly spread: the smooth
// weighted round robin of nginx (I. Sysoev, 2012, commit 52327e0627f4). It counts in this process: several processes
// each go round by themselves. The zero value is ready, and safe for concurrent use.
type roundRobin struct {
	mu    sync.Mutex
	turns map[string]*turns
}

// turns is where one model stands, its targets by index.
type turns struct {
	model   *catalog.Model
	current []float64
}

// next returns the index whose turn it is, of those with a weight.
func (r *roundRobin) next(c *catalog.Catalog, m *catalog.Model, weights []float64) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.turns[m.ID]
	if t == nil || t.model != m {
		t = r.follow(c, m, t)
	}
	return smooth(t.current, weights)
}

// follow takes over a model as the configuration now has it: targets that stay keep their place in the round.
func (r *roundRobin) follow(c *catalog.Catalog, m *catalog.Model, before *turns) *turns {
	t := &turns{model: m, current: make([]float64, len(m.Targets))}
	if before != nil {
		stood := make(map[string]float64, len(before.current))
		for i, target := range before.model.Targets {
			stood[target.Name] = before.current[i]
		}
		for i, target := range m.Targets {
			t.current[i] = stood[target.Name]
		}
	}
	if r.turns == nil {
		r.turns = map[string]*turns{}
	}
	maps.DeleteFunc(r.turns, func(id string, _ *turns) bool { return c.Models[id] == nil })
	r.turns[m.ID] = t
	return t
}

// smooth raises every index by its weight, and returns the one that is then highest, lowered by what all were raised.
func smooth(current, weights []float64) int {
	best, total := -1, 0.0
	for i, w := range weights {
		if w == 0 {
			continue
		}
		current[i] += w
		total += w
		if best < 0 || current[i] > current[best] {
			best = i
		}
	}
	current[best] -= total
	return best
}
