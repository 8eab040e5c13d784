package catalog

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Warnings returns what is valid and may surprise, in the order of the file: what the file does not let anybody do, what has no
// effect or a bad one. Programs log them, and work all the same. A catalog that [Parse] did not make has none.
func (c *Catalog) Warnings() []Fault { return slices.Clone(c.warnings) }

func (r *reader) warnf(v value, format string, args ...any) {
	r.warnings = append(r.warnings, Fault{r.file, v.line, v.column, v.path, fmt.Sprintf(format, args...)})
}

// surprises warns of what a target does and its reader may not expect.
func (r *reader) surprises(v value, has given, modelID string, t *Target, c *Catalog) {
	r.later = append(r.later, func() {
		if t.Timeout > c.Limits.Deadline {
			r.warnf(has.or("timeout", v), "is longer than limits.deadline (%v, %v): a request that names no deadline ends before it",
				t.Timeout, c.Limits.Deadline)
		}
	})
	if t.Edge && t.Shadow > 0 {
		r.warnf(has["shadow"], "is at the edge, where nobody sees how it does: baton edge has no metrics, and logs only what fails")
	}
	if _, ok := has["oip"]; !ok && (t.API == OIPGRPC || t.API == OIPHTTP) {
		r.warnf(has.or("oip", v), "is missing, so the server is taken for Triton with TensorRT-LLM: "+
			"give oip: {preset: triton}, or kserve or vllm")
	}
	for _, key := range []string{"key", "auth"} {
		// What sigv4 sends is a signature, and shows no key.
		if shown, ok := has[key]; ok && t.Auth.SigV4 == nil && inTheClear(t.URL) {
			r.warnf(shown, "is sent in the clear, to a host that is not known to be private: give an https:// or grpcs:// url")
			break
		}
	}
	if _, ok := has["price"]; !ok {
		r.priceless = append(r.priceless, priceless{has.or("price", v), modelID})
	}
}

// inTheClear reports whether a call of the URL can be read on its way through networks that are others'. A host that is private
// by its address or its name is not: loopback, the private ranges (RFC 1918, RFC 4193), a name without a dot, as containers have
// it, and what lies under the names that no public DNS has.
func inTheClear(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "grpc" {
		return false
	}
	host := canonicalHost(u.Hostname())
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return !ip.IsLoopback() && !ip.IsPrivate() && !ip.IsLinkLocalUnicast()
	}
	if !strings.Contains(host, ".") {
		return false
	}
	for _, private := range []string{".internal", ".local", ".localhost", ".svc", ".lan", ".home.arpa"} {
		if strings.HasSuffix(host, private) {
			return false
		}
	}
	return true
}

// unread warns of brokers that nothing is taken from.
func (r *reader) unread(has given, c *Catalog) {
	kafka, ok := has["kafka"]
	if !ok {
		return
	}
	for _, t := range c.Tenants {
		if len(t.Intake.Kafka) > 0 {
			return
		}
	}
	r.warnf(kafka, "is not read: no tenant has topics in intake.kafka")
}

// priceless is a target without a price, and the model it stands under.
type priceless struct {
	value
	model string
}

// unpriced warns of each target without a price that a tenant with a budget may use.
func (r *reader) unpriced(c *Catalog) {
	spender := map[string]string{} // by the model that it may use, in the end
	var use func(id, tenant string)
	use = func(id, tenant string) {
		m, ok := c.Models[id]
		if _, known := spender[id]; known || !ok {
			return
		}
		spender[id] = tenant
		for _, member := range m.Group {
			use(member.Model, tenant)
		}
		for _, other := range m.Fallback {
			use(other, tenant)
		}
	}
	everything := false // each model once, however many tenants may use all
	for _, name := range slices.Sorted(maps.Keys(c.Tenants)) {
		t := c.Tenants[name]
		if t.Budget == (Budget{}) || everything {
			continue
		}
		ids := t.Models
		if slices.Contains(ids, AnyModel) {
			ids, everything = slices.Sorted(maps.Keys(c.Models)), true
		}
		for _, id := range ids {
			use(id, name)
		}
	}
	for _, p := range r.priceless {
		if tenant, ok := spender[p.model]; ok {
			r.warnf(p.value, "is missing, and tenant %s, which has a budget, may use the target: what that costs is not counted", tenant)
		}
	}
}
