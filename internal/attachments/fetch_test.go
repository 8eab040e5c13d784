package attachments_test

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/egress"
	"baton.dev/baton/internal/model"
)

// imageServer serves an image, and what goes wrong with images.
func imageServer(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/png; q=1")
		switch r.URL.Path {
		case "/a.png":
			_, _ = w.Write(pattern(100_000))
		case "/text":
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<p>secret page</p>")
		case "/moved":
			http.Redirect(w, r, "/a.png", http.StatusFound)
		case "/large":
			_, _ = w.Write(pattern(300_000))
		case "/larger": // without saying so
			for range 3 {
				_, _ = w.Write(pattern(100_000))
				http.NewResponseController(w).Flush()
			}
		case "/torn":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(pattern(10))
		default:
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func fetcher(t *testing.T, s *httptest.Server, allow ...netip.Prefix) attachments.Expander {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	transport := egress.New(egress.Config{
		Policy: func() egress.Policy { return egress.Policy{AllowNetworks: allow} }, RootCAs: pool,
	})
	t.Cleanup(transport.CloseIdleConnections)
	return attachments.Expander{Fetch: transport, Most: func() int64 { return 200_000 }}
}

var loopback = netip.MustParsePrefix("127.0.0.0/8")

func TestAnImageIsFetchedForATargetThatWantsIt(t *testing.T) {
	t.Parallel()
	s := imageServer(t)
	x, messages := fetcher(t, s, loopback), message(imagePart(s.URL+"/a.png"))
	body, err := expand(t, x, &catalog.Target{FetchURLs: true}, messages)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := read(t, body)
		if want := message(imagePart(dataURL("image/png", pattern(100_000)))); err != nil || got != want || body.Size != int64(len(got)) {
			t.Errorf("of %d bytes %d came, %v", body.Size, len(got), err)
		}
	}
	if body, err = expand(t, x, &catalog.Target{}, messages); err != nil {
		t.Fatal(err)
	}
	if got, err := read(t, body); err != nil || got != messages {
		t.Errorf("for a target that does not want it: %.200s, %v", got, err)
	}
}

func TestAnImageThatCannotBeFetched(t *testing.T) {
	t.Parallel()
	s := imageServer(t)
	const plain = `The image at the host "127.0.0.1" could not be fetched.`
	large := strings.TrimSuffix(plain, ".") + ": it has more than 200000 bytes."
	for name, tc := range map[string]struct {
		path   string
		allow  []netip.Prefix
		says   string // to the caller, who learns nothing of what is there
		logged string
	}{
		"an address that may not be reached": {"/a.png", nil, plain, "blocked"},
		"a redirect":                         {"/moved", []netip.Prefix{loopback}, plain, "status 302"},
		"no image":                           {"/text", []netip.Prefix{loopback}, plain, "no image"},
		"an error":                           {"/none", []netip.Prefix{loopback}, plain, "status 418"},
		"too large":                          {"/large", []netip.Prefix{loopback}, large, "200000 bytes"},
		"too large without saying so":        {"/larger", []netip.Prefix{loopback}, large, "200000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			messages := message(imagePart(s.URL + tc.path + "?token=hunter2"))
			_, err := expand(t, fetcher(t, s, tc.allow...), &catalog.Target{FetchURLs: true}, messages)
			failure, ok := errors.AsType[*model.Error](err)
			if !ok || failure.Code != events.CodeDataMissing || failure.Sent || failure.Message != tc.says || !strings.Contains(failure.Error(), tc.logged) {
				t.Fatalf("got %v: %+v", err, failure)
			}
			for _, secret := range []string{"hunter2", tc.path, "secret"} {
				if strings.Contains(failure.Message+failure.Error(), secret) {
					t.Errorf("%q or %q tells %q", failure.Message, failure, secret)
				}
			}
		})
	}
}
