package catalog

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"baton.dev/baton/events"
)

// Tenant is a caller, its keys, and what it may use.
//
// Callbacks must be signed, so a tenant whose Secrets are empty can only poll for its results: a request of it that names a
// callback is to be refused.
type Tenant struct {
	Name          string   // see [ValidTenantName]
	Keys          []string // lower-case hex SHA-256 of each key; one at least
	Priority      events.Priority
	Models        []string // model ids, or "*", the default
	Rate          float64  // requests a second; 0, the default: unlimited
	Burst         int      // requests at once above the rate; default one second of the rate, 0 where that is unlimited
	Queued        int      // requests at once that are accepted and have not ended; 0, the default: unlimited
	Budget        Budget   // default none
	Secrets       []Secret // whsec_ and whsk_ keys that sign its callbacks, newest first; empty: it has no callbacks
	CallbackHosts []string // lower-case hosts its callbacks may name, "*.example.com" for any below; empty: any

	CallbackQueues []string // nats://SUBJECT, which may have wildcards, and sqs://QUEUE; see [Tenant.MayCallQueue]; default none
	Handshake      bool     // a receiver must agree to be called, by the CloudEvents web-hook handshake; default false
	Intake         Intake   // default: HTTP alone
}

// Intake is where else a tenant's requests are taken from. What is written there needs no key: who may write there is for the
// broker to say.
type Intake struct {
	NATS  bool     // the subject baton.in.TENANT; its name has no dot then
	SQS   bool     // the queue baton-in-TENANT; its name has no dot then
	Kafka []string // topics, none of them another tenant's
}

// tenantName is what is safe in the name of a key, a metric's label and a log.
var tenantName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// ValidTenantName reports whether the name can be that of a tenant: 1 to 64 ASCII letters, digits, dots, - and _.
func ValidTenantName(name string) bool { return tenantName.MatchString(name) }

// AnyModel stands in a tenant's models for all there are.
const AnyModel = "*"

// MayUse reports whether the tenant may use the model. It does not say that there is such a model.
func (t *Tenant) MayUse(modelID string) bool {
	return slices.Contains(t.Models, modelID) || slices.Contains(t.Models, AnyModel)
}

// MayCallBack reports whether the tenant's callbacks may name the host: a name or an IP address, without port or brackets,
// as [net/url.URL.Hostname] returns it. The case of a name and a dot at its end do not matter. It does not say that the
// address behind a name is allowed.
func (t *Tenant) MayCallBack(host string) bool {
	if len(t.CallbackHosts) == 0 {
		return true
	}
	host = canonicalHost(host)
	for _, pattern := range t.CallbackHosts {
		suffix, wildcard := strings.CutPrefix(pattern, "*")
		if !wildcard && host == pattern {
			return true
		}
		if wildcard && len(host) > len(suffix) && strings.HasSuffix(host, suffix) && host[0] != '.' {
			return true
		}
	}
	return false
}

// canonicalHost returns the one spelling of a host that patterns are kept and compared in.
func canonicalHost(host string) string {
	if strings.Contains(host, ":") { // only IPv6 addresses have more than one spelling
		if addr, err := netip.ParseAddr(host); err == nil {
			return addr.String()
		}
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
