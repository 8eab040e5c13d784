package ingest

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"baton.dev/baton/internal/egress"
)

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
