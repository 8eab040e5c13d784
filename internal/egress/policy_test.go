package egress_test

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"baton.dev/baton/internal/egress"
)

func wantBlocked(t *testing.T, err error, reason egress.Reason) *egress.BlockedError {
	t.Helper()
	blocked, ok := errors.AsType[*egress.BlockedError](err)
	if !ok {
		t.Errorf("got %v, want it blocked: %s", err, reason)
		return &egress.BlockedError{}
	}
	if blocked.Reason != reason {
		t.Errorf("host %q is blocked as %s, want %s", blocked.Host, blocked.Reason, reason)
	}
	return blocked
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	open := egress.Policy{AllowNetworks: loopback, AllowHTTP: true}
	for _, tc := range []struct {
		name, url string
		policy    egress.Policy
		want      egress.Reason // "" is allowed
	}{
		{"a public name", "https://hooks.example.com/a?b=c", egress.Policy{}, ""},
		{"a public name with a port", "https://hooks.example.com:8443/", egress.Policy{}, ""},
		{"an upper-case scheme", "HTTPS://hooks.example.com/", egress.Policy{}, ""},
		{"a public address", "https://1.1.1.1/", egress.Policy{}, ""},
		{"http", "http://hooks.example.com/", egress.Policy{}, egress.ReasonScheme},
		{"http where it is allowed", "http://hooks.example.com/", open, ""},
		{"another scheme", "ftp://hooks.example.com/", open, egress.ReasonScheme},
		{"a file", "file:///etc/passwd", open, egress.ReasonScheme},
		{"no scheme", "//hooks.example.com/", open, egress.ReasonScheme},
		{"a user", "https://user@hooks.example.com/", egress.Policy{}, egress.ReasonUserinfo},
		{"a password", "https://user:pass@hooks.example.com/", egress.Policy{}, egress.ReasonUserinfo},
		{"empty credentials", "https://@hooks.example.com/", egress.Policy{}, egress.ReasonUserinfo},
		{"no host", "https:///path", egress.Policy{}, egress.ReasonHost},
		{"only a port", "https://:443/", egress.Policy{}, egress.ReasonHost},
		{"opaque", "https:hooks.example.com", egress.Policy{}, egress.ReasonHost},
		{"port 0", "https://hooks.example.com:0/", egress.Policy{}, egress.ReasonPort},
		{"port 65536", "https://hooks.example.com:65536/", egress.Policy{}, egress.ReasonPort},
		{"an empty port", "https://hooks.example.com:/", egress.Policy{}, ""},
		{"a loopback address", "https://127.0.0.1/", egress.Policy{}, egress.ReasonLoopback},
		{"a loopback address that is allowed", "http://127.0.0.1:8080/", open, ""},
		{"an IPv6 loopback address", "https://[::1]:443/", open, egress.ReasonLoopback},
		{"an address with a zone", "https://[fe80::1%25lo]/", open, egress.ReasonZone},
		{"localhost", "https://localhost/", egress.Policy{}, egress.ReasonLoopback},
		{"a name below localhost", "https://a.LocalHost./", egress.Policy{}, egress.ReasonLoopback},
		{"localhost where it is allowed", "http://localhost:8080/", open, ""},
		{"a short IPv4 address", "https://127.1/", egress.Policy{}, egress.ReasonHost},
		{"an IPv4 address as one number", "https://2130706433/", egress.Policy{}, egress.ReasonHost},
		{"an octal IPv4 address", "https://0177.0.0.1/", egress.Policy{}, egress.ReasonHost},
		{"a hexadecimal IPv4 address", "https://0x7f.0x0.0x0.0x1/", egress.Policy{}, egress.ReasonHost},
		{"an IPv4 address with a dot behind", "https://127.0.0.1./", egress.Policy{}, egress.ReasonHost},
		{"a name of numbers under a name", "https://127.0.0.1.example.com/", egress.Policy{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(tc.url)
			if err != nil {
				t.Fatal(err)
			}
			err = tc.policy.CheckURL(u)
			if tc.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if blocked := wantBlocked(t, err, tc.want); blocked.Host != u.Hostname() || blocked.Resolved.IsValid() {
				t.Errorf("got %+v, want host %q and nothing resolved", blocked, u.Hostname())
			}
		})
	}
}

func TestABlockedErrorNamesTheHostAndNotTheURL(t *testing.T) {
	t.Parallel()
	u, err := url.Parse("https://user:hunter2@10.0.0.1/path-token?query-token#fragment-token")
	if err != nil {
		t.Fatal(err)
	}
	got := egress.Policy{}.CheckURL(u).Error()
	if !strings.Contains(got, "10.0.0.1") {
		t.Errorf("%q does not name the host", got)
	}
	for _, secret := range []string{"token", "hunter2", "user:"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q holds %q", got, secret)
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{
		"https://hooks.example.com/a", "https://127.0.0.1/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25lo]:1/",
		"http://0x7f.1", "https://localhost.", "https://a:b@c:0", "https:opaque", "https://127。0。0。1/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := url.Parse(s)
		if err != nil {
			return
		}
		if (egress.Policy{}).CheckURL(u) != nil {
			return
		}
		if u.Scheme != "https" || u.User != nil || u.Hostname() == "" {
			t.Fatalf("%q is allowed", s)
		}
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil && (egress.Policy{}).CheckAddr(addr) != nil {
			t.Fatalf("%q is allowed, its address is not", s)
		}
	})
}

func ExamplePolicy_CheckURL() {
	for _, s := range []string{"https://hooks.example.com/done", "https://169.254.169.254/latest", "http://hooks.example.com/"} {
		u, err := url.Parse(s)
		if err != nil {
			panic(err)
		}
		fmt.Println(egress.Policy{}.CheckURL(u))
	}
	// Output:
	// <nil>
	// egress: host "169.254.169.254" blocked: metadata
	// egress: host "hooks.example.com" blocked: scheme
}
