package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strings"

	"baton.dev/baton/events"
)

// Bounds of what a tenant may have at once.
const (
	maxBurst  = 1_000_000_000
	maxQueued = 1_000_000_000
)

func (r *reader) tenants(v value, c *Catalog) {
	list, _ := r.entries(v, "a mapping of tenants by name", maxModelID)
	// Over the whole file, the path of the first: by hash, and by name.
	keys, topics := map[string]string{}, map[string]string{}
	for _, e := range list {
		if !ValidTenantName(e.key) {
			r.failf(e.at, "cannot name a tenant: expected 1 to 64 letters, digits, dots, - and _")
		}
		c.Tenants[e.key] = r.tenant(e.value, e.key, c, keys, topics)
	}
}

func (r *reader) tenant(v value, name string, c *Catalog, keys, topics map[string]string) *Tenant {
	t := &Tenant{Name: name, Priority: events.Normal, Models: []string{AnyModel}}
	has := r.object(v, fields{
		"keys":           func(v value) { t.Keys = r.keys(v, keys) },
		"priority":       func(v value) { t.Priority = oneOf(r, v, events.Priorities()...) },
		"models":         func(v value) { t.Models = r.allowed(v, c) },
		"rate":           func(v value) { t.Rate = r.rate(v) },
		"burst":          func(v value) { t.Burst = r.whole(v, 1, maxBurst) },
		"queued":         func(v value) { t.Queued = r.whole(v, 1, maxQueued) },
		"budget":         func(v value) { t.Budget = r.budget(v) },
		"secrets":        func(v value) { t.Secrets = r.secrets(v) },
		"callback_hosts": func(v value) { t.CallbackHosts = r.hosts(v) },

		"callback_queues":   func(v value) { t.CallbackQueues = r.queues(v) },
		"webhook_handshake": func(v value) { t.Handshake = r.flag(v) },
		"intake":            func(v value) { t.Intake = r.intake(v, name, c, topics) },
	})
	r.need(v, has, "keys", "give one hash at least, as baton keygen prints it")
	_, hasRate := has["rate"]
	burst, hasBurst := has["burst"]
	switch {
	case hasBurst && !hasRate:
		r.failf(burst, "has no effect without a rate: add one, or remove it")
	case !hasBurst && hasRate:
		t.Burst = int(max(1, math.Ceil(t.Rate)))
	}
	if _, signs := has["secrets"]; !signs {
		r.unsigned(v, has)
	}
	return t
}

// unsigned reports what a tenant without secrets has of callbacks, or warns that it can have none.
func (r *reader) unsigned(v value, has given) {
	before := len(r.faults)
	for _, key := range []string{"callback_hosts", "callback_queues", "webhook_handshake"} {
		if given, ok := has[key]; ok {
			r.failf(given, "has no effect without secrets, since callbacks must be signed: add them, or remove it")
		}
	}
	if len(r.faults) == before {
		r.warnf(has.or("secrets", v), "is missing, so the tenant can only poll: its requests with a callback_url are refused")
	}
}

func (r *reader) keys(v value, taken map[string]string) []string {
	const want = "the hash of a key, sha256: and 64 hex digits, as baton keygen prints it"
	var hashes []string
	for _, item := range r.some(v, "a list of the hashes of keys", "give one hash at least, as baton keygen prints it") {
		s, ok := r.text(item, want)
		if !ok {
			continue
		}
		digits, prefixed := strings.CutPrefix(s, hashPrefix)
		sum, err := hex.DecodeString(digits)
		if !prefixed || err != nil || len(sum) != sha256.Size {
			r.failf(item, "expected %s: a key itself does not belong in this file", want)
			continue
		}
		hash := hex.EncodeToString(sum)
		if hashPrefix+hash == HashKey("") {
			r.failf(item, "is the hash of an empty key: make one with baton keygen")
			continue
		}
		if first, ok := taken[hash]; ok {
			r.failf(item, "is the same as %s: a key belongs to one tenant, and stands there once", first)
			continue
		}
		taken[hash] = item.path
		hashes = append(hashes, hash)
	}
	return hashes
}

func (r *reader) allowed(v value, c *Catalog) []string {
	const want = `the id of a model, or "*"`
	var ids []string
	r.distinct(r.some(v, "a list of models", "leave the key out to allow all of them"), want, func(v value, id string) {
		ids = append(ids, id)
		if id != AnyModel {
			r.later = append(r.later, func() { r.exists(v, id, c) })
		}
	})
	return ids
}

func (r *reader) secrets(v value) []Secret {
	items := r.some(v, "a list of references to secrets", "leave the key out for a tenant without callbacks")
	list := make([]Secret, len(items))
	for i, item := range items {
		list[i] = r.secret(item, signature)
	}
	return list
}

func (r *reader) hosts(v value) []string {
	var patterns []string
	list := r.some(v, "a list of hosts", "leave the key out to allow any host")
	r.distinct(list, "a host such as hooks.example.com or *.example.com", func(v value, s string) {
		pattern, problem := hostPattern(s)
		if problem != "" {
			r.failf(v, "%s", problem)
		}
		patterns = append(patterns, pattern)
	})
	return patterns
}

func (r *reader) queues(v value) []string {
	var patterns []string
	list := r.some(v, "a list of queues", "leave the key out to allow none")
	r.distinct(list, "a queue such as nats://orders.results or sqs://results", func(v value, s string) {
		if problem := callbackQueue(s); problem != "" {
			r.failf(v, "%s", problem)
		}
		patterns = append(patterns, s)
	})
	return patterns
}
