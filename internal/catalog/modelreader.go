package catalog

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"baton.dev/baton/events"
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

func (r *reader) target(v value, modelID string, c *Catalog, names map[string]string) *Target {
	t := &Target{Model: modelID, Weight: 1, Concurrency: 64, MaxTokens: 4096, Timeout: time.Minute}
	has := r.object(v, fields{
		"name":        func(v value) { t.Name = r.targetName(v, names) },
		"model":       func(v value) { t.Model, _ = r.text(v, "what the target calls the model") },
		"api":         func(v value) { t.API = oneOf(r, v, OpenAI, OIPGRPC, OIPHTTP, Simulated) },
		"url":         func(v value) { t.URL, _ = r.text(v, "a URL") },
		"key":         func(v value) { t.Key = r.secret(v, false) },
		"weight":      func(v value) { t.Weight = r.whole(v, 0, maxWeight) },
		"canary":      func(v value) { t.Canary = r.percentage(v) },
		"shadow":      func(v value) { t.Shadow = r.percentage(v) },
		"concurrency": func(v value) { t.Concurrency = r.whole(v, 1, 10000) },
		"price":       func(v value) { t.Price = r.price(v) },
		"max_tokens":  func(v value) { t.MaxTokens = r.whole(v, 1, maxOutput) },
		"timeout":     func(v value) { t.Timeout = r.positive(v) },
		"simulate":    func(v value) { t.Simulate = r.simulate(v) },
	})
	r.need(v, has, "name", "give the target a name that no other has")
	if t.Canary > 0 && t.Shadow > 0 {
		r.failf(has["shadow"], "a target is a canary or a shadow, not both: remove one")
	}
	r.called(v, has, t)
	r.surprises(v, has, modelID, t, c)
	return t
}

// called reads what depends on how the target is called.
func (r *reader) called(v value, has given, t *Target) {
	r.need(v, has, "api", "give one of openai, oip-grpc, oip-http or simulated")
	switch t.API {
	case OpenAI, OIPHTTP:
		r.url(v, has, t, "https", "http")
	case OIPGRPC:
		r.url(v, has, t, "grpc", "grpcs")
	case Simulated:
		for _, key := range []string{"url", "key"} {
			if given, ok := has[key]; ok {
				r.failf(given, "a simulated target has none: remove it, or name another api")
			}
		}
		if t.Simulate == nil {
			t.Simulate = simulated()
		}
	}
	if given, ok := has["simulate"]; ok && t.API != Simulated && t.API != "" {
		r.failf(given, "is only for targets with api: simulated")
	}
}

func (r *reader) targetName(v value, names map[string]string) string {
	name, ok := r.text(v, "a name")
	if !ok {
		return ""
	}
	if !events.ValidTarget(name) {
		r.failf(v, "cannot name a target: expected 1 to 64 of a-z, 0-9, - and _")
		return name
	}
	if first, taken := names[name]; taken {
		r.failf(v, "is taken by %s: give every target of the file its own", first)
		return name
	}
	names[name] = v.path
	return name
}

func (r *reader) url(v value, has given, t *Target, schemes ...string) {
	r.need(v, has, "url", "give the base URL, such as "+schemes[0]+"://host:8000")
	given, ok := has["url"]
	if !ok || t.URL == "" {
		return
	}
	base, problem := baseURL(t.URL, schemes...)
	if problem != "" {
		r.failf(given, "%s", problem)
	}
	t.URL = base
}

// secret reads a reference to a secret: of a tenant, or of a target. What is none is not shown: it may be the secret.
func (r *reader) secret(v value, tenant bool) Secret {
	text, ok := r.text(v, "a reference to a secret, env:NAME or file:PATH")
	if !ok {
		return ""
	}
	s := Secret(text)
	if !s.well() {
		r.failf(v, "must refer to a secret, as env:NAME or file:PATH: the secret itself does not belong in this file")
		return ""
	}
	s = s.from(r.dir)
	place := Fault{File: r.file, Line: v.line, Column: v.column, Path: v.path}
	r.references = append(r.references, reference{secret: s, tenant: tenant, place: place})
	return s
}
