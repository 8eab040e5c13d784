package catalog

import (
	"slices"
	"strings"
	"time"

	"baton.dev/baton/events"
)

func (r *reader) target(v value, modelID string, c *Catalog, names map[string]string) *Target {
	t := &Target{Model: modelID, Weight: 1, Concurrency: 64, MaxTokens: 4096, Timeout: time.Minute}
	has := r.object(v, fields{
		"name":        func(v value) { t.Name = r.targetName(v, names) },
		"model":       func(v value) { t.Model, _ = r.text(v, "what the target calls the model") },
		"api":         func(v value) { t.API = oneOf(r, v, OpenAI, OIPGRPC, OIPHTTP, Simulated) },
		"url":         func(v value) { t.URL, _ = r.text(v, "a URL") },
		"key":         func(v value) { t.Key = r.secret(v, credential) },
		"weight":      func(v value) { t.Weight = r.whole(v, 0, maxWeight) },
		"canary":      func(v value) { t.Canary = r.percentage(v) },
		"shadow":      func(v value) { t.Shadow = r.percentage(v) },
		"concurrency": func(v value) { t.Concurrency = r.whole(v, 1, 10000) },
		"price":       func(v value) { t.Price = r.price(v) },
		"max_tokens":  func(v value) { t.MaxTokens = r.whole(v, 1, maxOutput) },
		"timeout":     func(v value) { t.Timeout = r.positive(v) },
		"simulate":    func(v value) { t.Simulate = r.simulate(v) },
		"auth":        func(v value) { t.Auth = r.auth(v) },
		"tls":         func(v value) { t.TLS = r.tls(v) },
		"headers":     func(v value) { t.Headers = r.headers(v) },
		"oip":         func(v value) { t.OIP = r.oip(v) },
		"fetch_urls":  func(v value) { t.FetchURLs = r.flag(v) },
		"edge":        func(v value) { t.Edge = r.flag(v) },
	})
	r.need(v, has, "name", "give the target a name that no other has")
	if t.Canary > 0 && t.Shadow > 0 {
		r.failf(has["shadow"], "a target is a canary or a shadow, not both: remove one")
	}
	r.called(v, has, t)
	r.authenticated(v, has, t)
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
		for _, key := range []string{"url", "key", "auth", "tls", "headers"} {
			if given, ok := has[key]; ok {
				r.failf(given, "a simulated target has none: remove it, or name another api")
			}
		}
		if t.Edge {
			r.failf(has["edge"], "is not for a simulated target, which has no place: "+
				"run baton model there, and give api: openai with its url")
		}
		if t.Simulate == nil {
			t.Simulate = simulated()
		}
	}
	r.only(has, "simulate", t, "is only for targets with api: simulated", Simulated)
	r.only(has, "oip", t, "is only for targets with api: oip-grpc or oip-http", OIPGRPC, OIPHTTP)
	r.only(has, "fetch_urls", t, "is only for targets with api: openai, the others take text alone", OpenAI, Simulated)
	if _, ok := has["oip"]; !ok && (t.API == OIPGRPC || t.API == OIPHTTP) {
		t.OIP = preset(Triton)
	}
	if given, ok := has["tls"]; ok && t.URL != "" && !strings.HasPrefix(t.URL, "https:") && !strings.HasPrefix(t.URL, "grpcs:") {
		r.failf(given, "has no effect: the url is none of https:// or grpcs://")
	}
}

// only reports a key that targets of other apis have.
func (r *reader) only(has given, key string, t *Target, problem string, apis ...string) {
	if given, ok := has[key]; ok && t.API != "" && !slices.Contains(apis, t.API) {
		r.failf(given, "%s", problem)
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
