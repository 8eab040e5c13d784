package ingest

import (
	"encoding/json"
	"net/http"
	"strings"

	"baton.dev/baton/events"
)

// cacheKey returns the key under which the request's answer may be kept and found, "" where it may not: the model keeps
// none, or the caller wants a fresh one.
func (s *Server) cacheKey(c *Caller, sub Submission, e events.Event) string {
	m := c.Catalog.Models[e.Model]
	if s.cfg.CacheKey == nil || m == nil || m.Cache <= 0 || sub.Fresh {
		return ""
	}
	var r events.Request
	if err := json.Unmarshal(e.Data, &r); err != nil {
		return "" // the schema lets nothing through that this does not read; without a key it is answered anew
	}
	return s.cfg.CacheKey(c.Tenant.Name, m, r)
}

// wantsFresh reports whether the caller takes no answer that was kept, and leaves none (RFC 9111, section 5.2.1): the
// directives no-store and no-cache are one here. Others are not for a forwarder to honour.
func wantsFresh(h http.Header) bool {
	for _, header := range h["Cache-Control"] {
		for _, directive := range splitUnquoted(header, ',') {
			name, _, _ := strings.Cut(directive, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "no-store", "no-cache":
				return true
			}
		}
	}
	return false
}
