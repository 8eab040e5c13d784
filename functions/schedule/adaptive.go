package schedule

import (
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"baton.dev/baton/internal/catalog"
)

// adaptEvery is the time between two steps of a model's factors: a few times what it takes a change to show in what is
// measured, or the next step would answer to what the last one has mended already.
const adaptEvery = 10 * time.Second

// adaptive multiplies the weights of each model's targets by factors that follow what was measured, one step at a time: see
// [step]. It keeps them in this process; since all processes measure the same, they come to the same. The zero value is
// ready, and safe for concurrent use.
type adaptive struct {
	mu     sync.Mutex
	models map[string]*adapted
}

// adapted is where one model stands.
type adapted struct {
	model   *catalog.Model
	stepped time.Time
	factors map[string]float64 // by target; 1 where there is none
	aligned []float64          // the same, by index; never changed, only replaced
}

// apply multiplies the weights by the factors as they stand, after a step if it is time for one.
func (a *adaptive) apply(p *policy, m *catalog.Model, weights []float64) {
	factors, changes := a.follow(p, m)
	for _, c := range changes {
		p.log.Info("weight follows what was measured", slog.String("model", m.ID), slog.String("target", c.target),
			slog.String("from", fmt.Sprintf("%.2f", c.from)), slog.String("to", fmt.Sprintf("%.2f", c.to)), slog.String("why", c.why))
	}
	for i := range weights {
		weights[i] *= factors[i]
	}
}

// follow returns the model's factors by index, and what a step just changed.
func (a *adaptive) follow(p *policy, m *catalog.Model) ([]float64, []change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.models[m.ID]
	if s == nil {
		s = &adapted{stepped: p.now}
	}
	due := p.now.Sub(s.stepped) >= adaptEvery
	if s.model == m && !due {
		return s.aligned, nil
	}
	next := &adapted{model: m, stepped: s.stepped, factors: s.factors, aligned: make([]float64, len(m.Targets))}
	var changes []change
	if due {
		next.stepped = p.now
		next.factors, changes = step(s.factors, p.measure(m))
	}
	for i, t := range m.Targets {
		next.aligned[i] = factorOf(next.factors, t.Name)
	}
	if a.models == nil {
		a.models = map[string]*adapted{}
	}
	maps.DeleteFunc(a.models, func(id string, _ *adapted) bool { return p.catalog.Models[id] == nil })
	a.models[m.ID] = next
	return next.aligned, changes
}

// measure returns what is known of the model's stable targets.
func (p *policy) measure(m *catalog.Model) []measurement {
	measured := make([]measurement, 0, len(m.Targets))
	for _, t := range m.Targets {
		if !stable(t) || t.Weight == 0 {
			continue
		}
		s := p.status(t.Name)
		measured = append(measured, measurement{
			target: t.Name, weight: t.Weight, attempts: s.Attempts, failures: s.Failures, latency: s.Latency,
			price: float64(t.Price.Input + t.Price.Output),
		})
	}
	return measured
}
