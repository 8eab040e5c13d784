// Package egress guards what is sent to an address that a caller named: callbacks, and whatever else fetches or posts to a
// URL from outside (server side request forgery).
//
// What is judged is the address a connection is about to be made to, in the dialer's control function, each time one is
// made. So nothing lies between the check and the use: a name that resolves to a private address, a name that answers
// differently the second time (DNS rebinding), and a redirect are all met at the same place. [Policy.CheckURL] is the early
// answer for what can be told from the URL alone.
//
// Allowed is globally reachable unicast, as the IANA special-purpose address registries have it (RFC 6890 and RFC 8190;
// iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry), and the networks the configuration
// names. Stricter than the registries: addresses that carry an IPv4 address for a gateway to unwrap (6to4, Teredo, NAT64)
// are refused whatever they carry, and so is the whole of 192.0.0.0/24 and 2001::/23, of which a few addresses are anycast
// services. An IPv4-mapped IPv6 address is judged as the IPv4 address that the kernel would connect to.
//
// An idle connection that is used again was judged when it was made; a changed policy holds from the next connection on.
// Proxies from the environment are not used: a proxy would resolve the name itself, past the guard.
//
// github.com/doyensec/safeurl v0.2.2 guards in the same place and was read for this. It is not used: its policy is fixed
// when the client is made, it has no IPv6 by default and its list lacks 5f00::/16 and 3fff::/20, it panics on an
// address with a zone, and it leaves the transport's timeouts and idle connections out of reach.
package egress
