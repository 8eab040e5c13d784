package ingest

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/egress"
	"baton.dev/baton/internal/outbound"
	"baton.dev/baton/internal/problem"
)

// receiver is where a request wants to be told what becomes of it. One of host and queue is set.
type receiver struct {
	pointer string // to its URL in the request
	host    string // of a web server, in lower case
	queue   string // a destination of package outbound
}

// receivers returns where the request wants to be told, and what is wrong with it, as far as no key could mend it. It sets
// the request's callbacks; of what is not of the shape that the schema wants, the schema says so.
func (s *Server) receivers(c *Caller, object map[string]any, req *events.Request) ([]receiver, []problem.FieldError) {
	var list []receiver
	var faults []problem.FieldError
	add := func(pointer, raw string) {
		to, wrong := s.receiver(raw)
		if wrong == "" && len(c.Tenant.Secrets) == 0 {
			wrong = "cannot be used: there is no secret to sign this key's callbacks with; leave it out and poll for the result"
		}
		if wrong != "" {
			faults = append(faults, problem.FieldError{Pointer: pointer, Detail: wrong})
			return
		}
		to.pointer = pointer
		list = append(list, to)
	}
	if req.CallbackURL != "" {
		add("/callback_url", req.CallbackURL)
	}
	given, _ := object["callbacks"].([]any)
	for i, one := range given[:min(len(given), events.MostCallbacks)] {
		members, _ := one.(map[string]any)
		raw, _ := members["url"].(string)
		if raw == "" {
			continue
		}
		add(fmt.Sprintf("/callbacks/%d/url", i), raw)
		callback := events.CallbackRequest{URL: raw}
		wanted, _ := members["events"].([]any)
		for _, w := range wanted {
			word, _ := w.(string)
			callback.Events = append(callback.Events, word)
		}
		req.Callbacks = append(req.Callbacks, callback)
	}
	req.Callbacks = distinct(req.CallbackURL, req.Callbacks)
	return list, faults
}

// distinct returns the callbacks with each URL once, told of all that any of its own wants, and of nothing that the callback URL
// is told of already: nobody is told the same thing twice.
func distinct(callbackURL string, list []events.CallbackRequest) []events.CallbackRequest {
	ends := []string{events.Completed.Step(), events.Failed.Step()} // what one is told that names no events
	wants := func(c events.CallbackRequest) []string {
		if len(c.Events) == 0 {
			return ends
		}
		return c.Events
	}
	var merged []events.CallbackRequest
	for _, c := range list {
		if c.URL == callbackURL {
			c.Events = slices.DeleteFunc(slices.Clone(wants(c)), func(e string) bool { return slices.Contains(ends, e) })
			if len(c.Events) == 0 {
				continue
			}
		}
		at := slices.IndexFunc(merged, func(m events.CallbackRequest) bool { return m.URL == c.URL })
		if at < 0 {
			merged = append(merged, c)
			continue
		}
		all := slices.Concat(wants(merged[at]), wants(c))
		slices.Sort(all)
		merged[at].Events = slices.Compact(all)
	}
	return merged
}

// receiver reads a callback URL, or says what is wrong with it.
func (s *Server) receiver(raw string) (to receiver, wrong string) {
	if !outbound.Is(raw) {
		host, wrong := s.callbackHost(raw)
		return receiver{host: host}, wrong
	}
	d, err := outbound.Parse(raw)
	switch {
	case err != nil:
		return receiver{}, err.Error()
	case !slices.Contains(s.cfg.Queues, d.Scheme) && len(s.cfg.Queues) == 0:
		return receiver{}, "must be an https URL: this chain delivers to no queues"
	case !slices.Contains(s.cfg.Queues, d.Scheme):
		return receiver{}, fmt.Sprintf("must be an https URL, or begin with %s://: this chain has no way to %s://",
			strings.Join(s.cfg.Queues, "://, "), d.Scheme)
	default:
		return receiver{queue: d.String()}, ""
	}
}

// mayTell reports whether the tenant's callbacks may go to the receiver, or why not.
func mayTell(t *catalog.Tenant, to receiver) (denied string) {
	switch {
	case to.host != "" && !t.MayCallBack(to.host):
		return "names a host that this key's callbacks may not go to"
	case to.queue != "" && !t.MayCallQueue(to.queue):
		return "names a queue that this key's callbacks may not go to"
	default:
		return ""
	}
}

// callbackHost returns the host of a callback URL, or what is wrong with the URL.
func (s *Server) callbackHost(raw string) (host, wrong string) {
	u, err := url.Parse(raw)
	switch {
	case err == nil && strings.ContainsFunc(u.Hostname(), notASCII):
		return "", "must name its host in ASCII: write an international name in punycode (xn--...)"
	case strings.ContainsFunc(raw, notOfURL):
		return "", "must be a URL of RFC 3986: percent-encode spaces, quotes and what is not ASCII"
	case err != nil || !u.IsAbs():
		return "", "must be an absolute URL"
	case u.Scheme != "https" && u.Scheme != "http":
		return "", "must be an https URL"
	case u.Opaque != "" || u.Hostname() == "":
		return "", "must name a host"
	case u.User != nil:
		return "", "must not hold credentials"
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return "", "must not have a fragment: it would not be sent"
	case !possiblePort(u.Port()):
		return "", "must have a port from 1 to 65535, or none"
	}
	if err := s.cfg.CheckCallback(u); err != nil {
		return "", blockedBecause(err)
	}
	return strings.ToLower(u.Hostname()), hostFault(u.Hostname())
}

// notOfURL reports what RFC 3986 has no place for. The URL travels in headers, where such bytes would be read in more ways
// than one.
func notOfURL(c rune) bool {
	return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"<>\^{|}`+"`", c)
}

func notASCII(c rune) bool { return c > 0x7f }

func possiblePort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// Bounds of a host's name and its labels (RFC 1035, section 2.3.4). The 255 octets of a name have a length before each
// label and the root's after all, which leaves 253 characters.
const (
	maxHostName  = 253
	maxHostLabel = 63
)

// hostFault returns why no resolver could know a host, or "" (RFC 1123, section 2.1). Addresses are not looked at.
func hostFault(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	name := strings.TrimSuffix(host, ".") // the root
	if len(name) > maxHostName {
		return fmt.Sprintf("names a host of more than %d characters", maxHostName)
	}
	for label := range strings.SplitSeq(strings.ToLower(name), ".") {
		if label == "" || len(label) > maxHostLabel || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return fmt.Sprintf("names a host that cannot be: between its dots must be 1 to %d letters, digits and hyphens, "+
				"no hyphen first or last", maxHostLabel)
		}
	}
	return ""
}

// blockedBecause says why a callback URL is refused, without showing what is inside.
func blockedBecause(err error) string {
	blocked, ok := errors.AsType[*egress.BlockedError](err)
	switch {
	case !ok:
		return "is not allowed"
	case blocked.Reason == egress.ReasonScheme:
		return "must be an https URL"
	default:
		return fmt.Sprintf("names a host that callbacks may not go to: %q (%s)", blocked.Host, blocked.Reason)
	}
}
