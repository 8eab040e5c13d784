package egress

import "net/netip"

// special is a block of addresses that is not globally reachable unicast, or not to be trusted as such.
type special struct {
	prefix netip.Prefix
	reason Reason
}

// globalUnicast is the only IPv6 block that unicast addresses are allocated from (RFC 4291, section 2.4; IANA IPv6 address
// space registry). What is outside of it is refused even where the list below has no name for it.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// specials is read from the top: what is more specific, or has the more telling name, stands first.
var specials = []special{
	// IPv4: the IANA IPv4 special-purpose address registry, multicast, and the address of one cloud's own.
	{netip.MustParsePrefix("0.0.0.0/32"), ReasonUnspecified},      // RFC 1122, section 3.2.1.3
	{netip.MustParsePrefix("0.0.0.0/8"), ReasonReserved},          // RFC 791, section 3.2, "this network"
	{netip.MustParsePrefix("10.0.0.0/8"), ReasonPrivate},          // RFC 1918
	{netip.MustParsePrefix("100.64.0.0/10"), ReasonShared},        // RFC 6598; carrier-grade NAT
	{netip.MustParsePrefix("127.0.0.0/8"), ReasonLoopback},        // RFC 1122, section 3.2.1.3
	{netip.MustParsePrefix("168.63.129.16/32"), ReasonMetadata},   // public by registry, but Azure's platform from inside
	{netip.MustParsePrefix("169.254.169.254/32"), ReasonMetadata}, // the clouds' metadata services
	{netip.MustParsePrefix("169.254.0.0/16"), ReasonLinkLocal},    // RFC 3927
	{netip.MustParsePrefix("172.16.0.0/12"), ReasonPrivate},       // RFC 1918
	{netip.MustParsePrefix("192.0.0.0/24"), ReasonProtocol},       // RFC 6890, section 2.1
	{netip.MustParsePrefix("192.0.2.0/24"), ReasonDocumentation},  // RFC 5737
	{netip.MustParsePrefix("192.88.99.0/24"), Reason6to4},         // RFC 7526; the former 6to4 relays
	{netip.MustParsePrefix("192.168.0.0/16"), ReasonPrivate},      // RFC 1918
	{netip.MustParsePrefix("198.18.0.0/15"), ReasonBenchmark},     // RFC 2544
	{netip.MustParsePrefix("198.51.100.0/24"), ReasonDocumentation},
	{netip.MustParsePrefix("203.0.113.0/24"), ReasonDocumentation},
	{netip.MustParsePrefix("224.0.0.0/4"), ReasonMulticast},        // RFC 5771
	{netip.MustParsePrefix("255.255.255.255/32"), ReasonBroadcast}, // RFC 8190
	{netip.MustParsePrefix("240.0.0.0/4"), ReasonReserved},         // RFC 1112, section 4

	// IPv6: the IANA IPv6 special-purpose address registry, and the blocks of RFC 4291.
	{netip.MustParsePrefix("::/128"), ReasonUnspecified},
	{netip.MustParsePrefix("::1/128"), ReasonLoopback},
	{netip.MustParsePrefix("::/96"), ReasonEmbedded},           // RFC 4291, section 2.5.5.1; IPv4-compatible
	{netip.MustParsePrefix("::ffff:0:0/96"), ReasonEmbedded},   // IPv4-mapped, where it was not unwrapped
	{netip.MustParsePrefix("::ffff:0:0:0/96"), ReasonEmbedded}, // RFC 2765; IPv4-translated
	{netip.MustParsePrefix("64:ff9b::/96"), ReasonNAT64},       // RFC 6052
	{netip.MustParsePrefix("64:ff9b:1::/48"), ReasonNAT64},     // RFC 8215
	{netip.MustParsePrefix("100::/64"), ReasonDiscard},         // RFC 6666
	{netip.MustParsePrefix("100:0:0:1::/64"), ReasonDiscard},   // RFC 9780; dummy prefix
	{netip.MustParsePrefix("2001::/32"), ReasonTeredo},         // RFC 4380
	{netip.MustParsePrefix("2001:2::/48"), ReasonBenchmark},    // RFC 5180
	{netip.MustParsePrefix("2001:10::/28"), ReasonORCHID},      // RFC 4843
	{netip.MustParsePrefix("2001:20::/28"), ReasonORCHID},      // RFC 7343
	{netip.MustParsePrefix("2001::/23"), ReasonProtocol},       // RFC 2928
	{netip.MustParsePrefix("2001:db8::/32"), ReasonDocumentation},
	{netip.MustParsePrefix("2002::/16"), Reason6to4},          // RFC 3056
	{netip.MustParsePrefix("3fff::/20"), ReasonDocumentation}, // RFC 9637
	{netip.MustParsePrefix("5f00::/16"), ReasonSegment},       // RFC 9602; SRv6 segment identifiers
	{netip.MustParsePrefix("fd00:ec2::254/128"), ReasonMetadata},
	{netip.MustParsePrefix("fc00::/7"), ReasonUniqueLocal}, // RFC 4193
	{netip.MustParsePrefix("fe80::/10"), ReasonLinkLocal},  // RFC 4291, section 2.5.6
	{netip.MustParsePrefix("fec0::/10"), ReasonSiteLocal},  // RFC 3879
	{netip.MustParsePrefix("ff00::/8"), ReasonMulticast},   // RFC 4291, section 2.7
}

// judge returns why the address is not globally reachable unicast, or "" if it is. IPv4-mapped addresses are unwrapped by
// the caller.
func judge(addr netip.Addr) Reason {
	for _, s := range specials {
		if s.prefix.Contains(addr) {
			return s.reason
		}
	}
	if addr.Is6() && !globalUnicast.Contains(addr) {
		return ReasonUnallocated
	}
	return ""
}
