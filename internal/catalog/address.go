package catalog

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// baseURL says what is wrong with the base URL of a target that is called over one of the schemes, or returns the URL
// without a slash at its end. It shows nothing of a wrong URL: that may hold a credential.
func baseURL(s string, schemes ...string) (base, problem string) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", "is no URL: expected one such as " + schemes[0] + "://host:8000"
	case u.User != nil:
		return "", "has a user or password in it: put the credential in key, as env:NAME or file:PATH"
	case !slices.Contains(schemes, u.Scheme):
		return "", "has the wrong scheme: expected " + strings.Join(schemes, ":// or ") + "://"
	case u.Hostname() == "" || u.Opaque != "":
		return "", "has no host: expected " + schemes[0] + "://host"
	case !validPort(u):
		return "", "has a wrong port: expected one from 1 to 65535"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return "", "has a query or fragment: a base URL ends with its path"
	case schemes[0] == "grpc" && strings.Trim(u.Path, "/") != "":
		return "", "has a path: a gRPC server is a host and port"
	case schemes[0] == "grpc" && u.Port() == "":
		return "", "has no port: expected grpc://host:port"
	}
	return strings.TrimRight(u.String(), "/"), ""
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && n > 0
}

// hostPattern says what is wrong with a pattern of callback hosts, or returns it as patterns are kept.
func hostPattern(s string) (pattern, problem string) {
	if s == "*" {
		return "", "leave callback_hosts out to allow any host"
	}
	if strings.Contains(s, "/") {
		return "", "is no host: leave out scheme and path"
	}
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return addr.String(), ""
	}
	pattern = canonicalHost(s)
	name := strings.TrimPrefix(pattern, "*.")
	switch {
	case strings.Contains(name, "*"):
		return "", "has a * in the wrong place: only *. at its start stands for any labels"
	case strings.Contains(name, ":"):
		return "", "has a port: a host is allowed with every port"
	case !hostName(name):
		return "", "is no host: expected a name such as hooks.example.com (in ASCII) or *.example.com, or an IP address"
	}
	return pattern, ""
}

// hostName reports whether s is a name of the DNS, in lower case and without a dot at its end (RFC 1123, section 2.1; an
// underscore is let through, as resolvers do).
func hostName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// network says what is wrong with a network in CIDR notation, or returns it.
func network(s string) (p netip.Prefix, problem string) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
			return p, "has no prefix length: write " + addr.String() + "/" + strconv.Itoa(addr.BitLen())
		}
		return p, "is no network: expected CIDR notation such as 10.0.0.0/8"
	}
	if p != p.Masked() {
		return p, "has bits set beyond its prefix: the network is " + p.Masked().String()
	}
	return p, ""
}
