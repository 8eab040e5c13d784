package catalog

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// maxModelID is that of model_id in the schema of a request.
const maxModelID = 128

// validModelID reports whether id can name a model: it is an attribute of events, and so a header that must need no encoding.
func validModelID(id string) bool {
	return id != "" && len(id) <= maxModelID && id != AnyModel &&
		!strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '%' })
}

func (r *reader) models(v value, c *Catalog) {
	list, ok := r.entries(v, "a mapping of models by id", maxModelID)
	if ok && len(list) == 0 {
		r.failf(v, "is empty: give one model at least, with its targets")
	}
	names := map[string]string{} // of targets, over the whole file: the path of the first
	for _, e := range list {
		if !validModelID(e.key) {
			r.failf(e.at, "is no model id: expected 1 to %d printable ASCII characters, without space, quote and %%, and not *",
				maxModelID)
		}
		c.Models[e.key] = r.model(e.value, e.key, c, names)
	}
}

func (r *reader) model(v value, id string, c *Catalog, names map[string]string) *Model {
	const advice = "give one place at least where the model can be called, or the group of models that it stands for"
	m := &Model{ID: id, Strategy: Weighted, Attempts: 4}
	has := r.object(v, fields{
		"strategy": func(v value) { m.Strategy = oneOf(r, v, Weighted, RoundRobin, LeastLatency, Adaptive) },
		"cache":    func(v value) { m.Cache = r.duration(v) },
		"attempts": func(v value) { m.Attempts = r.whole(v, 1, 20) },
		"fallback": func(v value) { r.fallback(v, m, c) },
		"targets":  func(v value) { r.targets(v, m, c, names) },
		"group":    func(v value) { r.group(v, m, c) },
	})
	if _, ok := has["group"]; !ok {
		r.need(v, has, "targets", advice)
		return m
	}
	for _, key := range []string{"targets", "strategy"} {
		if given, ok := has[key]; ok {
			r.failf(given, "a group has none, but its models have: remove it, or the group")
		}
	}
	return m
}

// group reads the models that a model stands for. They are kept by their ids, so that the order in the file decides nothing.
func (r *reader) group(v value, m *Model, c *Catalog) {
	list, ok := r.entries(v, "a mapping of models to their weights, such as {gpt-4: 3, llama: 1}", maxShownKey)
	if ok && len(list) == 0 {
		r.failf(v, "is empty: give one model at least, and its weight")
	}
	for _, e := range list {
		m.Group = append(m.Group, Member{Model: e.key, Weight: r.whole(e.value, 1, maxWeight)})
		if e.key == m.ID {
			r.failf(e.at, "is the group itself: name another model")
			continue
		}
		r.later = append(r.later, func() { r.calls(e.at, e.key, c) })
	}
	slices.SortFunc(m.Group, func(a, b Member) int { return cmp.Compare(a.Model, b.Model) })
}

func (r *reader) fallback(v value, m *Model, c *Catalog) {
	r.distinct(r.items(v, "a list of models"), "the id of a model", func(v value, id string) {
		m.Fallback = append(m.Fallback, id)
		if id == m.ID {
			r.failf(v, "is the model itself: name another one")
			return
		}
		r.later = append(r.later, func() { r.calls(v, id, c) })
	})
}

// calls reports a reference to a model that the file does not have, or that has no targets of its own.
func (r *reader) calls(v value, id string, c *Catalog) {
	if m, ok := c.Models[id]; ok && len(m.Group) > 0 {
		r.failf(v, "is a group: name models that have targets")
		return
	}
	r.exists(v, id, c)
}

// exists reports a reference to a model that the file does not have.
func (r *reader) exists(v value, id string, c *Catalog) {
	if _, ok := c.Models[id]; ok {
		return
	}
	if r.compared += len(c.Models); r.compared <= maxCompared {
		if near, ok := nearest(id, slices.Sorted(maps.Keys(c.Models))); ok {
			r.failf(v, "there is no such model: did you mean %s?", near)
			return
		}
	}
	r.failf(v, "there is no such model: add it to models, or remove it here")
}

func (r *reader) targets(v value, m *Model, c *Catalog, names map[string]string) {
	// rounding is more than a sum of shares can be off, which percentages are not exact in.
	const rounding = 1e-9
	const advice = "give one place at least where the model can be called"
	list := r.some(v, "a list of targets", advice)
	canaries := 0.0
	for _, item := range list {
		t := r.target(item, m.ID, c, names)
		m.Targets = append(m.Targets, t)
		canaries += t.Canary
	}
	switch {
	case len(list) == 0:
	case len(m.Stable()) == 0:
		r.failf(v, "are all canaries or shadows: one at least must take the rest of the requests")
	case canaries > 1+rounding:
		r.failf(v, "have canaries of more than 100%% together: lower them")
	}
}
