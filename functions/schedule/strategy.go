package schedule

import (
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/seeded"
)

// The salts by which one message draws several numbers that have nothing to do with each other. They are far from the
// numbers of attempts, by which weighted draws.
const (
	saltCanary = 1_000_001 + iota
	saltShadow
	saltGroup
	saltPark
	saltSecond = 2_000_000 // and after it the attempts
)

// strategies chooses among the targets of a model that may be tried. It holds what the strategies remember.
type strategies struct {
	robin    roundRobin
	adaptive adaptive
}

// choose returns the index of the target that the request goes to, by the model's strategy. The weights are those of
// [shares], at least one of them over 0; choose may write to them.
func (s *strategies) choose(p *policy, m *catalog.Model, weights []float64) int {
	first := seeded.Unit(p.in.Subject, p.in.Attempt)
	switch m.Strategy {
	case catalog.RoundRobin:
		return s.robin.next(p.catalog, m, weights)
	case catalog.LeastLatency:
		second := seeded.Unit(p.in.Subject, saltSecond+p.in.Attempt)
		return leastLatency(weights, first, second, func(i int) time.Duration { return p.status(m.Targets[i].Name).Latency })
	case catalog.Adaptive:
		s.adaptive.apply(p, m, weights)
		return draw(weights, first)
	default:
		return draw(weights, first)
	}
}
