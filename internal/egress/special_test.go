package egress_test

import (
	"net/netip"
	"net/url"
	"testing"

	"baton.dev/baton/internal/egress"
)

// Each block by its first and last address, and by its neighbours where those are public.
var blocks = []struct {
	name   string
	reason egress.Reason
	addrs  []string
}{
	{"unspecified", egress.ReasonUnspecified, []string{"0.0.0.0", "::", "::ffff:0.0.0.0"}},
	{"this network", egress.ReasonReserved, []string{"0.0.0.1", "0.255.255.255"}},
	{"loopback", egress.ReasonLoopback, []string{"127.0.0.1", "127.255.255.255", "::1"}},
	{"private 10/8", egress.ReasonPrivate, []string{"10.0.0.0", "10.255.255.255"}},
	{"private 172.16/12", egress.ReasonPrivate, []string{"172.16.0.0", "172.31.255.255"}},
	{"private 192.168/16", egress.ReasonPrivate, []string{"192.168.0.0", "192.168.255.255"}},
	{"carrier-grade NAT", egress.ReasonShared, []string{"100.64.0.0", "100.100.100.200", "100.127.255.255"}},
	{"link-local", egress.ReasonLinkLocal, []string{"169.254.0.0", "169.254.170.2", "169.254.255.255", "fe80::1", "febf:ffff::"}},
	{"metadata", egress.ReasonMetadata, []string{"169.254.169.254", "fd00:ec2::254", "168.63.129.16", "::ffff:169.254.169.254"}},
	{"protocol assignments", egress.ReasonProtocol, []string{
		"192.0.0.0", "192.0.0.9", "192.0.0.192", "192.0.0.255", "2001:1::1", "2001:5::1", "2001:1ff:ffff::",
	}},
	{"documentation", egress.ReasonDocumentation, []string{
		"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "3fff:fff:ffff::",
	}},
	{"benchmark", egress.ReasonBenchmark, []string{"198.18.0.0", "198.19.255.255", "2001:2::1"}},
	{"multicast", egress.ReasonMulticast, []string{"224.0.0.0", "239.255.255.255", "ff02::1", "ff0e::1"}},
	{"reserved 240/4", egress.ReasonReserved, []string{"240.0.0.0", "255.255.255.254"}},
	{"broadcast", egress.ReasonBroadcast, []string{"255.255.255.255"}},
	{"IPv4-mapped", egress.ReasonPrivate, []string{"::ffff:10.0.0.1", "::ffff:192.168.1.1", "::ffff:a00:1"}},
	{"IPv4-mapped loopback", egress.ReasonLoopback, []string{"::ffff:127.0.0.1"}},
	{"IPv4-compatible", egress.ReasonEmbedded, []string{"::127.0.0.1", "::8.8.8.8", "::2"}},
	{"IPv4-translated", egress.ReasonEmbedded, []string{"::ffff:0:127.0.0.1"}},
	{"6to4", egress.Reason6to4, []string{"2002::1", "2002:7f00:1::1", "2002:808:808::1", "192.88.99.1"}},
	{"Teredo", egress.ReasonTeredo, []string{"2001::1", "2001:0:ffff::"}},
	{"NAT64", egress.ReasonNAT64, []string{"64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "64:ff9b:1:ffff::a00:1"}},
	{"ORCHID", egress.ReasonORCHID, []string{"2001:10::1", "2001:20::1", "2001:2f:ffff::"}},
	{"discard", egress.ReasonDiscard, []string{"100::1", "100::ffff:ffff:ffff:ffff", "100:0:0:1::1"}},
	{"unique local", egress.ReasonUniqueLocal, []string{"fc00::1", "fdff:ffff::"}},
	{"site-local", egress.ReasonSiteLocal, []string{"fec0::1", "feff:ffff::"}},
	{"segment routing", egress.ReasonSegment, []string{"5f00::1"}},
	{"unallocated", egress.ReasonUnallocated, []string{"4000::1", "1fff::1", "8000::1", "fe00::1", "200::1", "64:ff9a::1"}},
	{"zone", egress.ReasonZone, []string{"fe80::1%lo", "2606:4700::1111%eth0"}},
}

func TestEachBlockIsRefusedByItsName(t *testing.T) {
	t.Parallel()
	for _, b := range blocks {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			for _, a := range b.addrs {
				wantBlocked(t, egress.Policy{}.CheckAddr(netip.MustParseAddr(a)), b.reason)
				u := &url.URL{Scheme: "https", Host: "[" + a + "]"}
				wantBlocked(t, egress.Policy{}.CheckURL(u), b.reason)
			}
		})
	}
}

func TestPublicAddressesAreAllowed(t *testing.T) {
	t.Parallel()
	for _, a := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255",
		"192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.17", "::ffff:8.8.8.8",
		"2606:4700::1111", "2a00:1450::1", "2001:200::1", "2001:4860::8888", "2003::1", "3ffe:ffff::1", "3fff:1000::1",
	} {
		if err := (egress.Policy{}).CheckAddr(netip.MustParseAddr(a)); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestAllowedNetworksOpenThemselvesAndNothingElse(t *testing.T) {
	t.Parallel()
	p := egress.Policy{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd12::/16")}}
	for _, a := range []string{"127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1", "fd12::1", "8.8.8.8"} {
		if err := p.CheckAddr(netip.MustParseAddr(a)); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	for a, reason := range map[string]egress.Reason{
		"::1": egress.ReasonLoopback, "10.0.0.1": egress.ReasonPrivate, "fd13::1": egress.ReasonUniqueLocal,
		"::127.0.0.1": egress.ReasonEmbedded, "64:ff9b::127.0.0.1": egress.ReasonNAT64, "2002:7f00:1::": egress.Reason6to4,
		"fd12::1%lo": egress.ReasonZone,
	} {
		wantBlocked(t, p.CheckAddr(netip.MustParseAddr(a)), reason)
	}
}
