package ingest_test

import (
	"net/http"
	"strings"
	"testing"
)

// badCallbacks are callback URLs that are refused as they stand, each with a word that says why.
var badCallbacks = []struct{ name, url, says string }{
	{"plain http", "http://hooks.example.com/", "https"},
	{"ftp", "ftp://hooks.example.com/", "https"},
	{"a file", "file:///etc/passwd", "https"},
	{"javascript", "javascript:alert(1)", "https"},
	{"a path", "/done", "absolute"},
	{"no scheme", "hooks.example.com/done", "absolute"},
	{"no host", "https:///done", "host"},
	{"nothing but a scheme", "https:", "host"},
	{"an opaque URL", "https:hooks.example.com", "host"},
	{"a port alone", "https://:443/", "host"},
	{"credentials", "https://user:secret@hooks.example.com/", "credentials"},
	{"a fragment", "https://hooks.example.com/#here", "fragment"},
	{"an empty fragment", "https://hooks.example.com/#", "fragment"},
	{"a space", "https://hooks.example.com/a b", "percent-encode"},
	{"a line break", `https://hooks.example.com/a\r\nb`, "percent-encode"},
	{"a letter beyond ASCII", "https://hooks.example.com/é", "percent-encode"},
	{"a quote", `https://hooks.example.com/\"`, "percent-encode"},
	{"a backslash", `https://hooks.example.com\\@127.0.0.1/`, "percent-encode"},
	{"a bad escape", "https://hooks.example.com/%zz", "absolute URL"},
	{"a port over the last", "https://hooks.example.com:99999/", "port from 1 to 65535"},
	{"port 0", "https://hooks.example.com:0/", "port from 1 to 65535"},
	{"an international name", "https://hööks.example.com/", "punycode"},
	{"an international name, percent-encoded", "https://h%C3%B6%C3%B6ks.example.com/", "punycode"},
	{"numbers of another script", "https://١٢٧.1/", "punycode"},
	{"a label of 64", "https://" + strings.Repeat("a", 64) + ".example.com/", "1 to 63"},
	{"an empty label", "https://hooks..example.com/", "1 to 63"},
	{"an empty first label", "https://.example.com/", "1 to 63"},
	{"a hyphen first", "https://-hooks.example.com/", "no hyphen first or last"},
	{"a hyphen last", "https://hooks-.example.com/", "no hyphen first or last"},
	{"an underscore", "https://my_hooks.example.com/", "letters, digits and hyphens"},
	{"a host with an encoded space", "https://hooks%20.example.com/", "absolute URL"},
	{"a very long name", "https://" + strings.Repeat("abcdefg.", 31) + "example.com/", "253"},
	{"loopback", "https://127.0.0.1/", "loopback"},
	{"localhost", "https://localhost:8080/", "loopback"},
	{"loopback in IPv6", "https://[::1]/", "loopback"},
	{"loopback mapped into IPv6", "https://[::ffff:127.0.0.1]/", "loopback"},
	{"loopback as one number", "https://2130706433/", "host"},
	{"loopback in hexadecimal", "https://0x7f.1/", "host"},
	{"a private address", "https://10.1.2.3/", "private"},
	{"the metadata service", "https://169.254.169.254/latest/meta-data/", "metadata"},
	{"link-local in IPv6", "https://[fe80::1]/", "link_local"},
	{"an unspecified address", "https://0.0.0.0/", "unspecified"},
	{"a multicast address", "https://224.0.0.1/", "multicast"},
}

func TestBadCallbackURLsAreRefusedAndSayWhy(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range badCallbacks {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := f.post(t, `{"model_id":"small","prompt":"x","callback_url":"`+c.url+`"}`)
			if a.status != http.StatusUnprocessableEntity {
				t.Fatalf("status %d: %s", a.status, a)
			}
			p := a.problem(t)
			if len(p.Errors) != 1 || p.Errors[0].Pointer != "/callback_url" || !strings.Contains(p.Errors[0].Detail, c.says) {
				t.Errorf("errors %+v, want /callback_url and %q", p.Errors, c.says)
			}
			if strings.Contains(string(a.body), "secret") {
				t.Errorf("credentials are repeated: %s", a)
			}
		})
	}
}

func TestCallbackURLsAsTheyAreInUseAreTaken(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, url := range []string{
		"https://hooks.example.com/done?a=%20b&c=[1]", "https://HOOKS.Example.com:8443/", "https://hooks.example.com:/",
		"https://hooks.example.com./", "https://xn--hks-snaa.example.com/", "https://a-1--b.example.com:65535/",
		"https://" + strings.Repeat("a", 63) + ".example.com/", "https://1.1.1.1/", "https://[2606:4700::1111]:443/x", "https://hooks/",
		"https://" + strings.Repeat("a.", 121) + "example.com/", // 253
	} {
		f.accepted(t, `{"model_id":"small","prompt":"x","callback_url":"`+url+`"}`)
	}
}
