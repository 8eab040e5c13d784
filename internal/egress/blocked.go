package egress

import (
	"fmt"
	"net/netip"
)

// Reason is why something was blocked. The set is closed.
type Reason string

// The reasons: what is wrong with a URL, and then what an address is.
const (
	ReasonScheme   Reason = "scheme"   // not https, nor http where that is allowed
	ReasonUserinfo Reason = "userinfo" // credentials in the URL
	ReasonHost     Reason = "host"     // no host, or one that is neither a name nor an address in its usual form
	ReasonPort     Reason = "port"     // not 1 to 65535
	ReasonZone     Reason = "zone"     // an address with a zone, which names one of this machine's interfaces

	ReasonUnspecified   Reason = "unspecified"
	ReasonLoopback      Reason = "loopback"
	ReasonPrivate       Reason = "private"
	ReasonLinkLocal     Reason = "link_local"
	ReasonMetadata      Reason = "metadata"
	ReasonShared        Reason = "shared"
	ReasonProtocol      Reason = "protocol_assignment"
	ReasonDocumentation Reason = "documentation"
	ReasonBenchmark     Reason = "benchmark"
	ReasonMulticast     Reason = "multicast"
	ReasonBroadcast     Reason = "broadcast"
	ReasonReserved      Reason = "reserved"
	ReasonEmbedded      Reason = "embedded_ipv4"
	ReasonNAT64         Reason = "nat64"
	ReasonDiscard       Reason = "discard"
	ReasonTeredo        Reason = "teredo"
	ReasonORCHID        Reason = "orchid"
	Reason6to4          Reason = "6to4"
	ReasonSegment       Reason = "segment_routing"
	ReasonUniqueLocal   Reason = "unique_local"
	ReasonSiteLocal     Reason = "site_local"
	ReasonUnallocated   Reason = "unallocated"
)

// BlockedError says that a host may not be reached, and why. It names the host and never the rest of a URL. errors.As
// finds it in what an [http.Client] returns.
//
// [http.Client]: https://pkg.go.dev/net/http#Client
type BlockedError struct {
	Host   string // as the URL or the dialer had it, without port
	Reason Reason
	// Resolved is the address that the host, a name, resolved to just now; it may resolve to another one later. It is
	// the zero Addr where the URL alone decided, for good.
	Resolved netip.Addr
}

// Error implements error.
func (e *BlockedError) Error() string {
	if e.Resolved.IsValid() {
		return fmt.Sprintf("egress: host %q blocked: %s: resolved to %s", e.Host, e.Reason, e.Resolved)
	}
	return fmt.Sprintf("egress: host %q blocked: %s", e.Host, e.Reason)
}
