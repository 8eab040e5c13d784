package simulation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
)

// configurations draws the first configuration, and those that take its place: with other weights, a target more, one less.
func (r *drawing) configurations() {
	r.models = []string{"m"}
	if r.one(2) {
		r.models = append(r.models, "other")
	}
	r.tenants = []string{"acme"}
	if r.one(2) {
		r.tenants = append(r.tenants, "bolt")
	}
	first := &catalog.Catalog{
		Models:  map[string]*catalog.Model{},
		Tenants: map[string]*catalog.Tenant{},
		Priorities: map[events.Priority]int{
			events.High: 8, events.Normal: 3, events.Low: 1,
		},
		Callbacks: catalog.Callbacks{
			Retries: []time.Duration{0, time.Second, 5 * time.Second, 20 * time.Second}, Timeout: 5 * time.Second,
		},
		Limits: catalog.Limits{Body: 256 << 10, Deadline: r.duration(20*time.Second, 3*time.Minute)},
	}
	for _, id := range r.models {
		first.Models[id] = r.model(id)
	}
	if len(r.models) > 1 && r.one(2) {
		first.Models["m"].Fallback = []string{"other"}
	}
	if len(r.models) > 1 && r.one(2) {
		r.models = append(r.models, "group")
		first.Models["group"] = &catalog.Model{
			ID: "group", Attempts: 1 + r.IntN(5), Cache: oneOf(r, 0, r.duration(time.Second, time.Minute)),
			Group: []catalog.Member{{Model: "m", Weight: 1 + r.IntN(3)}, {Model: "other", Weight: 1 + r.IntN(3)}},
		}
	}
	for _, name := range r.tenants {
		key := sha256.Sum256([]byte("key of " + name))
		first.Tenants[name] = &catalog.Tenant{
			Name: name, Keys: []string{hex.EncodeToString(key[:])}, Priority: events.Normal, Models: []string{catalog.AnyModel},
			Secrets: []catalog.Secret{"env:SECRET"},
		}
		if r.one(4) {
			first.Tenants[name].Rate, first.Tenants[name].Burst = 0.5+4*r.Float64(), 1+r.IntN(5)
		}
		if r.one(3) {
			first.Tenants[name].Queued = 1 + r.IntN(5)
		}
		if r.one(3) {
			first.Tenants[name].Budget = catalog.Budget{Amount: r.budget(first.Models["m"].Targets[0]), Period: catalog.Day}
		}
	}
	r.s.catalogs = []*catalog.Catalog{first}
	for range r.IntN(3) {
		r.s.catalogs = append(r.s.catalogs, r.changed(r.s.catalogs[len(r.s.catalogs)-1]))
	}
}

// budget draws an amount: enough for some attempts, or for one or a few of those that cost the most, to the last of it.
func (r *drawing) budget(t *catalog.Target) catalog.Money {
	if !r.one(3) {
		return catalog.Money(5000 + r.IntN(100_000))
	}
	prompt := question(0)
	return catalog.Money(1+r.IntN(2)) * ledger.Most(t, ledger.Bound(events.Request{Prompt: &prompt}, t))
}

func (r *drawing) model(id string) *catalog.Model {
	m := &catalog.Model{ID: id, Attempts: 1 + r.IntN(5)}
	m.Strategy = oneOf(r, catalog.Weighted, catalog.Weighted, catalog.RoundRobin, catalog.LeastLatency, catalog.Adaptive)
	if r.one(2) {
		m.Cache = r.duration(time.Second, time.Minute)
	}
	for range 1 + r.IntN(3) {
		m.Targets = append(m.Targets, r.target(id))
	}
	m.Targets[0].Canary, m.Targets[0].Shadow = 0, 0 // one must be there for all
	return m
}

func (r *drawing) target(model string) *catalog.Target {
	name := fmt.Sprintf("t%d", len(r.names))
	r.names = append(r.names, name)
	t := &catalog.Target{
		Name: name, Model: model, API: catalog.OpenAI, URL: "https://" + name + ".example.com",
		Price:  catalog.Price{Input: r.Int64N(3000), Output: r.Int64N(10_000)},
		Weight: r.IntN(4), Concurrency: 1 + r.IntN(3), MaxTokens: 20 + r.IntN(1000), Timeout: r.duration(time.Second, 10*time.Second),
	}
	switch {
	case r.one(6):
		t.Canary = r.Float64()
	case r.one(8):
		t.Shadow = r.Float64()
	}
	return t
}

// everyTarget returns the targets of all configurations.
func (s *scenario) everyTarget() []*catalog.Target {
	var all []*catalog.Target
	seen := map[string]bool{}
	for _, c := range s.catalogs {
		for _, id := range slices.Sorted(maps.Keys(c.Models)) {
			for _, t := range c.Models[id].Targets {
				if !seen[t.Name] {
					seen[t.Name] = true
					all = append(all, t)
				}
			}
		}
	}
	return all
}

// changed returns the configuration with changes.
func (r *drawing) changed(from *catalog.Catalog) *catalog.Catalog {
	to := &catalog.Catalog{
		Models: map[string]*catalog.Model{}, Priorities: from.Priorities, Callbacks: from.Callbacks, Limits: from.Limits,
		Tenants: from.Tenants,
	}
	for _, id := range r.models {
		m := *from.Models[id]
		m.Targets = nil
		for i, t := range from.Models[id].Targets {
			if i > 0 && r.one(3) {
				continue
			}
			other := *t
			other.Weight, other.Concurrency = r.IntN(4), 1+r.IntN(3)
			m.Targets = append(m.Targets, &other)
		}
		if len(m.Group) == 0 && r.one(3) {
			m.Targets = append(m.Targets, r.target(id))
		}
		to.Models[id] = &m
	}
	return to
}
