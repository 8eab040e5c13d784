package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Bounds of one transport. A delivery as a whole is bounded by its request's context.
const (
	connectTimeout   = 10 * time.Second // one connection, over all addresses of a name
	handshakeTimeout = 10 * time.Second
	idleTimeout      = 90 * time.Second // net/http's default transport has the same
	idlePerHost      = 64               // a host that takes many deliveries keeps its connections between them
	idleTotal        = 1024
	maxHeaderBytes   = 64 << 10 // of an answer; net/http's default is 10 MiB, too much to give a stranger
	sessionCacheSize = 256      // TLS sessions kept for resumption
)

// Config is what a [Transport] is made of.
type Config struct {
	// Policy returns the policy in force. It is called for each request and each connection, from any goroutine, and must
	// be cheap. Nil is the zero [Policy].
	Policy func() Policy
	// Resolver resolves names; nil is the system's.
	Resolver *net.Resolver
	// RootCAs are the authorities that https answers are verified by; nil is the system's.
	RootCAs *x509.CertPool
}

// Transport is an [http.RoundTripper] that reaches only what its policy allows. A blocked request fails with an error that
// is a [*BlockedError]. It is safe for concurrent use. [Transport.CloseIdleConnections] releases what it holds.
type Transport struct {
	policy   func() Policy
	resolver *net.Resolver
	base     *http.Transport
}

// New returns a transport.
func New(cfg Config) *Transport {
	t := &Transport{policy: cfg.Policy, resolver: cfg.Resolver}
	if t.policy == nil {
		t.policy = func() Policy { return Policy{} }
	}
	t.base = &http.Transport{
		Proxy:       nil, // a proxy would resolve the name itself, past the guard
		DialContext: t.dial,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            cfg.RootCAs,
			ClientSessionCache: tls.NewLRUClientSessionCache(sessionCacheSize),
		},
		TLSHandshakeTimeout:    handshakeTimeout,
		ForceAttemptHTTP2:      true, // net/http turns it off when a transport brings its own dialer
		DisableCompression:     true,
		MaxIdleConns:           idleTotal,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return t
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.policy().CheckURL(req.URL); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper closes the body, also when it fails
		}
		return nil, err
	}
	return t.base.RoundTrip(req)
}

// CloseIdleConnections closes the connections that no request uses.
func (t *Transport) CloseIdleConnections() { t.base.CloseIdleConnections() }

// dial connects to the address, "host:port", and judges each address it is about to try.
func (t *Transport) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &BlockedError{Host: address, Reason: ReasonHost}
	}
	policy := t.policy()
	d := net.Dialer{
		Timeout:  connectTimeout,
		Resolver: t.resolver,
		ControlContext: func(_ context.Context, _, peer string, _ syscall.RawConn) error {
			return policy.checkPeer(host, peer)
		},
	}
	return d.DialContext(ctx, network, address)
}

// checkPeer judges the address, "ip:port", that a connection to the host is about to be made to.
func (p Policy) checkPeer(host, peer string) error {
	to, err := netip.ParseAddrPort(peer)
	if err != nil {
		return &BlockedError{Host: host, Reason: ReasonHost}
	}
	reason := p.refuses(to.Addr())
	if reason == "" {
		return nil
	}
	blocked := &BlockedError{Host: host, Reason: reason}
	if _, err := netip.ParseAddr(host); err != nil {
		blocked.Resolved = to.Addr()
	}
	return blocked
}
