package egress_test

import (
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/egress"
	"baton.dev/baton/internal/egress/dnstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func prefixes(s ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// client returns a client behind the guard that makes a new connection, and so resolves anew, for each request.
func client(t *testing.T, p egress.Policy, resolver *net.Resolver) *http.Client {
	t.Helper()
	tr := egress.New(egress.Config{Policy: func() egress.Policy { return p }, Resolver: resolver})
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// get closes its connection, so that the next one is made, and judged, anew.
func get(t *testing.T, c *http.Client, target string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := c.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	return resp, err
}

// counting is a server on a loopback address that counts what reaches it.
func counting(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var reached atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		if handler != nil {
			handler(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s, &reached
}

func port(t *testing.T, s *httptest.Server) string {
	t.Helper()
	_, p, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLoopbackIsReachedOnlyWhenItIsAllowed(t *testing.T) {
	t.Parallel()
	server, reached := counting(t, nil)
	_, err := get(t, client(t, egress.Policy{AllowHTTP: true}, nil), server.URL)
	wantBlocked(t, err, egress.ReasonLoopback)
	if _, isURL := errors.AsType[*url.Error](err); !isURL {
		t.Errorf("got %T, want what a client returns", err)
	}
	if n := reached.Load(); n != 0 {
		t.Fatalf("the server was reached %d times", n)
	}
	allowed := client(t, egress.Policy{AllowHTTP: true, AllowNetworks: prefixes("127.0.0.0/8")}, nil)
	if _, err := get(t, allowed, server.URL); err != nil {
		t.Fatal(err)
	}
	if n := reached.Load(); n != 1 {
		t.Fatalf("the server was reached %d times, want once", n)
	}
}

func TestANameThatResolvesToABlockedAddressIsBlockedAtConnect(t *testing.T) {
	t.Parallel()
	for _, b := range blocks {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			for _, a := range b.addrs {
				addr := netip.MustParseAddr(a)
				if addr.Zone() != "" || addr.Is4In6() {
					continue // DNS has no zones; an AAAA record that is IPv4-mapped has its own test
				}
				resolver := dnstest.Serve(t, func(int) []netip.Addr { return []netip.Addr{addr} })
				_, err := get(t, client(t, egress.Policy{}, resolver), "https://hooks.example.com/")
				blocked := wantBlocked(t, err, b.reason)
				if blocked.Host != "hooks.example.com" || blocked.Resolved != addr {
					t.Errorf("got %+v, want the name and %s", blocked, addr)
				}
			}
		})
	}
}

func TestAnIPv4MappedRecordIsJudgedAsItsIPv4Address(t *testing.T) {
	t.Parallel()
	resolver := dnstest.Serve(t, func(int) []netip.Addr { return []netip.Addr{netip.MustParseAddr("::ffff:169.254.169.254")} })
	_, err := get(t, client(t, egress.Policy{}, resolver), "https://hooks.example.com/")
	wantBlocked(t, err, egress.ReasonMetadata)
}

func TestANameThatChangesBetweenTwoConnectionsIsJudgedEachTime(t *testing.T) {
	t.Parallel()
	server, reached := counting(t, nil)
	resolver := dnstest.Serve(t, func(n int) []netip.Addr {
		if n == 0 {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")} // what the policy allows
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.2")} // what it does not
	})
	c := client(t, egress.Policy{AllowHTTP: true, AllowNetworks: prefixes("127.0.0.1/32")}, resolver)
	target := "http://rebind.example.com:" + port(t, server) + "/"
	if _, err := get(t, c, target); err != nil {
		t.Fatal(err)
	}
	_, err := get(t, c, target)
	wantBlocked(t, err, egress.ReasonLoopback)
	if n := reached.Load(); n != 1 {
		t.Fatalf("the server was reached %d times, want once", n)
	}
}

func TestABlockedAddressAmongAllowedOnesIsPassedOver(t *testing.T) {
	t.Parallel()
	server, reached := counting(t, nil)
	resolver := dnstest.Serve(t, func(int) []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("127.0.0.1")}
	})
	c := client(t, egress.Policy{AllowHTTP: true, AllowNetworks: prefixes("127.0.0.1/32")}, resolver)
	if _, err := get(t, c, "http://both.example.com:"+port(t, server)+"/"); err != nil {
		t.Fatal(err)
	}
	if n := reached.Load(); n != 1 {
		t.Fatalf("the server was reached %d times, want once", n)
	}
}

func TestARedirectThatIsFollowedIsJudgedToo(t *testing.T) {
	t.Parallel()
	inside, reached := counting(t, nil)
	resolver := dnstest.Serve(t, func(int) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.2")} })
	for _, tc := range []struct {
		name, to string
		want     egress.Reason
	}{
		{"to a blocked address", "http://127.0.0.2:" + port(t, inside) + "/secret-path", egress.ReasonLoopback},
		{"to a name that resolves to one", "http://inside.example.com:" + port(t, inside) + "/secret-path", egress.ReasonLoopback},
		{"to another scheme", "gopher://hooks.example.com/secret-path", egress.ReasonScheme},
		{"to credentials", "http://a:b@127.0.0.1/secret-path", egress.ReasonUserinfo},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server, _ := counting(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, tc.to, http.StatusTemporaryRedirect)
			})
			c := client(t, egress.Policy{AllowHTTP: true, AllowNetworks: prefixes("127.0.0.1/32")}, resolver)
			_, err := get(t, c, server.URL)
			blocked := wantBlocked(t, err, tc.want)
			if strings.Contains(blocked.Error(), "secret-path") {
				t.Errorf("%v holds the path", blocked)
			}
		})
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("the blocked server was reached %d times", n)
	}
}

func TestAChangedPolicyHoldsFromTheNextConnectionOn(t *testing.T) {
	t.Parallel()
	server, _ := counting(t, nil)
	var policy atomic.Pointer[egress.Policy]
	policy.Store(&egress.Policy{AllowHTTP: true, AllowNetworks: prefixes("127.0.0.0/8")})
	tr := egress.New(egress.Config{Policy: func() egress.Policy { return *policy.Load() }})
	t.Cleanup(tr.CloseIdleConnections)
	c := &http.Client{Transport: tr}
	if _, err := get(t, c, server.URL); err != nil {
		t.Fatal(err)
	}
	policy.Store(&egress.Policy{AllowHTTP: true})
	_, err := get(t, c, server.URL)
	wantBlocked(t, err, egress.ReasonLoopback)
}

func TestAProxyOfTheEnvironmentIsNotUsed(t *testing.T) { // not parallel: it sets the environment
	proxy, proxied := counting(t, nil)
	server, reached := counting(t, nil)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("ALL_PROXY", proxy.URL)
	resolver := dnstest.Serve(t, func(int) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.1")} })
	c := client(t, egress.Policy{AllowHTTP: true, AllowNetworks: prefixes("127.0.0.0/8")}, resolver)
	if _, err := get(t, c, "http://hooks.example.com:"+port(t, server)+"/"); err != nil {
		t.Fatal(err)
	}
	if p, n := proxied.Load(), reached.Load(); p != 0 || n != 1 {
		t.Fatalf("the proxy was reached %d times and the server %d times, want 0 and 1", p, n)
	}
}

func TestHTTPSIsVerifiedAndSpeaksHTTP2(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake
	server.StartTLS()
	t.Cleanup(server.Close)
	policy := func() egress.Policy { return egress.Policy{AllowNetworks: prefixes("127.0.0.0/8")} }

	stranger := egress.New(egress.Config{Policy: policy})
	t.Cleanup(stranger.CloseIdleConnections)
	if _, err := get(t, &http.Client{Transport: stranger}, server.URL); err == nil {
		t.Error("a certificate of no known authority was accepted")
	}

	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	known := egress.New(egress.Config{Policy: policy, RootCAs: roots})
	t.Cleanup(known.CloseIdleConnections)
	resp, err := get(t, &http.Client{Transport: known}, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if resp.ProtoMajor != 2 {
		t.Errorf("spoke %s, want HTTP/2", resp.Proto)
	}
}
