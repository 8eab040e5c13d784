package egress

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Policy is what may be reached. The zero value allows https to globally reachable unicast addresses.
type Policy struct {
	// AllowNetworks may be reached whatever they are. An IPv4 network also covers its IPv4-mapped addresses, and nothing
	// else that carries one of its addresses.
	AllowNetworks []netip.Prefix
	// AllowHTTP allows http besides https.
	AllowHTTP bool
}

// CheckURL returns a [*BlockedError] if the URL may not be reached, as far as the URL itself says: its scheme, credentials
// in it, its port, and its host where that is an address. It resolves nothing; what a name resolves to is judged when a
// connection is made.
func (p Policy) CheckURL(u *url.URL) error {
	host := u.Hostname()
	blocked := func(reason Reason) error { return &BlockedError{Host: host, Reason: reason} }
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !p.AllowHTTP):
		return blocked(ReasonScheme)
	case u.User != nil:
		return blocked(ReasonUserinfo)
	case host == "" || u.Opaque != "":
		return blocked(ReasonHost)
	case !validPort(u.Port()):
		return blocked(ReasonPort)
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if reason := p.refuses(addr); reason != "" {
			return blocked(reason)
		}
		return nil
	}
	switch {
	case isLocalhost(host):
		// RFC 6761, section 6.3: localhost and the names below it are the loopback, whatever a resolver says.
		if reason := p.refuses(netip.AddrFrom4([4]byte{127, 0, 0, 1})); reason != "" && p.refuses(netip.IPv6Loopback()) != "" {
			return blocked(reason)
		}
	case endsInNumber(host):
		return blocked(ReasonHost)
	}
	return nil
}

// CheckAddr returns a [*BlockedError] if the address may not be reached.
func (p Policy) CheckAddr(addr netip.Addr) error {
	if reason := p.refuses(addr); reason != "" {
		return &BlockedError{Host: addr.String(), Reason: reason}
	}
	return nil
}

// refuses returns why the address may not be reached, or "" if it may.
func (p Policy) refuses(addr netip.Addr) Reason {
	if !addr.IsValid() {
		return ReasonHost
	}
	if addr.Zone() != "" {
		return ReasonZone
	}
	addr = addr.Unmap()
	for _, network := range p.AllowNetworks {
		if network.Contains(addr) {
			return ""
		}
	}
	return judge(addr)
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

func isLocalhost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// endsInNumber reports whether the host's last label is a number, decimal, octal or hexadecimal. No public name ends so,
// and some resolvers read such a host as an IPv4 address: 127.1, 0x7f000001, 2130706433 (WHATWG URL, section 3.5).
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	label := host[strings.LastIndexByte(host, '.')+1:]
	if label == "" {
		return true // an empty last label is no name either
	}
	if rest, ok := strings.CutPrefix(strings.ToLower(label), "0x"); ok {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}
