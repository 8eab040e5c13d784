package catalog

import (
	"net/netip"
	"time"

	"baton.dev/baton/events"
)

// Bounds of what is taken in. A body is read as a whole and what an event cannot carry of it goes by reference; a part is held
// in pieces; 5 GiB is what S3 takes in one upload.
const (
	maxBody              = 8 << 20
	minInline, maxInline = 1 << 10, 512 << 10
	maxPart              = 512 << 20
	minUpload, maxUpload = 1 << 10, 5 << 30
)

// maxDeadline is that of deadline_seconds in the schema of a request.
const maxDeadline = 24 * time.Hour

// maxWeight keeps a sum of weights far from overflow.
const maxWeight = 1_000_000

// catalog reads the file.
func (r *reader) catalog(v value, c *Catalog) {
	has := r.object(v, fields{
		"models":     func(v value) { r.models(v, c) },
		"priorities": func(v value) { r.priorities(v, c) },
		"callbacks":  func(v value) { r.callbacks(v, &c.Callbacks) },
		"fetch":      func(v value) { r.fetch(v, &c.Fetch) },
		"limits":     func(v value) { r.limits(v, &c.Limits) },
		"tenants":    func(v value) { r.tenants(v, c) },
		"kafka":      func(v value) { c.Kafka = r.kafka(v) },
	})
	r.need(v, has, "models", "give one model at least, with its targets")
	if len(c.Tenants) == 0 {
		r.warnf(has.or("tenants", v), "there are none, so no request is accepted: add one with a key that baton keygen makes")
	}
	r.later = append(r.later, func() { r.unpriced(c) }, func() { r.unread(has, c) })
}

func (r *reader) priorities(v value, c *Catalog) {
	known := fields{}
	for _, p := range events.Priorities() {
		known[string(p)] = func(v value) { c.Priorities[p] = r.whole(v, 1, maxWeight) }
	}
	r.object(v, known)
}

func (r *reader) callbacks(v value, c *Callbacks) {
	r.object(v, fields{
		"allow_networks": func(v value) { c.AllowNetworks = r.networks(v) },
		"allow_http":     func(v value) { c.AllowHTTP = r.flag(v) },
		"retries": func(v value) {
			c.Retries = nil
			for _, item := range r.some(v, "a list of the delays before each try", "give one delay at least; 0 is at once") {
				c.Retries = append(c.Retries, r.duration(item))
			}
		},
		"timeout": func(v value) { c.Timeout = r.positive(v) },
	})
}

func (r *reader) fetch(v value, f *Fetch) {
	r.object(v, fields{
		"allow_networks": func(v value) { f.AllowNetworks = r.networks(v) },
		"allow_http":     func(v value) { f.AllowHTTP = r.flag(v) },
	})
}

func (r *reader) networks(v value) []netip.Prefix {
	var list []netip.Prefix
	r.distinct(r.items(v, "a list of networks"), "a network such as 10.0.0.0/8", func(v value, s string) {
		p, problem := network(s)
		if problem != "" {
			r.failf(v, "%s", problem)
		}
		list = append(list, p)
	})
	return list
}

func (r *reader) limits(v value, l *Limits) {
	r.object(v, fields{
		"body":   func(v value) { l.Body = r.size(v, 1, maxBody) },
		"inline": func(v value) { l.Inline = r.size(v, minInline, maxInline) },
		"part":   func(v value) { l.Part = r.size(v, 0, maxPart) },
		"file":   func(v value) { l.File = r.size(v, minUpload, maxUpload) },
		"deadline": func(v value) {
			if l.Deadline = r.positive(v); l.Deadline > maxDeadline {
				r.failf(v, "is out of range: expected 24h at most")
			}
		},
	})
}
