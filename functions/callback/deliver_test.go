package callback_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/callback"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/egress/dnstest"
	"baton.dev/baton/internal/hop"
)

func TestWhatEachAnswerComesTo(t *testing.T) {
	t.Parallel()
	const first = 5 * time.Second // the schedule's delay after the first try
	elsewhere := newReceiver(t, status(http.StatusNoContent))
	for _, tc := range []struct {
		name       string
		status     int
		retryAfter string
		want       func(t *testing.T, o hop.Outcome)
	}{
		{"200", 200, "", wantDone},
		{"201", 201, "", wantDone},
		{"202", 202, "", wantDone},
		{"204", 204, "", wantDone},
		{"299", 299, "", wantDone},
		{"410", 410, "", dead(events.ReasonGone)},
		{"410 with Retry-After", 410, "60", dead(events.ReasonGone)},
		{"429", 429, "", retry(first)},
		{"429 with Retry-After", 429, "120", exactly(2 * time.Minute)},
		{"429 with a short Retry-After", 429, "1", retry(first)},
		{"503", 503, "", retry(first)},
		{"503 with Retry-After", 503, "3600", exactly(time.Hour)},
		{"503 with a Retry-After of a year", 503, "31536000", exactly(24 * time.Hour)},
		{"503 with a Retry-After that is a date", 503, "Fri, 31 Dec 2100 23:59:59 GMT", exactly(24 * time.Hour)},
		{"503 with a Retry-After that is past", 503, "Thu, 01 Jan 1970 00:00:00 GMT", retry(first)},
		{"503 with a Retry-After that is nonsense", 503, receiverSay, retry(first)},
		{"500 with Retry-After", 500, "3600", retry(first)},
		{"301", 301, "", retry(first)},
		{"302", 302, "", retry(first)},
		{"303", 303, "", retry(first)},
		{"304", 304, "", retry(first)},
		{"307", 307, "", retry(first)},
		{"308", 308, "", retry(first)},
		{"400", 400, "", retry(first)},
		{"401", 401, "", retry(first)},
		{"403", 403, "", retry(first)},
		{"404", 404, "", retry(first)},
		{"408", 408, "", retry(first)},
		{"413", 413, "", retry(first)},
		{"500", 500, "", retry(first)},
		{"502", 502, "", retry(first)},
		{"504", 504, "", retry(first)},
		{"599", 599, "", retry(first)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := setup(t)
			r := newReceiver(t, func(w http.ResponseWriter, req *http.Request) {
				if tc.retryAfter != "" {
					w.Header().Set("Retry-After", tc.retryAfter)
				}
				if tc.status/100 == 3 {
					w.Header().Set("Location", elsewhere.URL)
				}
				status(tc.status)(w, req)
			})
			o := c.handle(t.Context(), completed(r.URL))
			tc.want(t, o)
			if got := len(r.got()); got != 1 {
				t.Errorf("the receiver got %d posts, want 1", got)
			}
			if o.Err != nil && !strings.Contains(o.Err.Error(), tc.name[:3]) {
				t.Errorf("%v does not say the status", o.Err)
			}
		})
	}
	t.Cleanup(func() {
		if got := len(elsewhere.got()); got != 0 {
			t.Errorf("redirects were followed %d times", got)
		}
	})
}

func dead(reason events.Reason) func(*testing.T, hop.Outcome) {
	return func(t *testing.T, o hop.Outcome) { t.Helper(); wantDead(t, o, reason) }
}

func retry(base time.Duration) func(*testing.T, hop.Outcome) {
	return func(t *testing.T, o hop.Outcome) { t.Helper(); wantRetry(t, o, base) }
}

func exactly(after time.Duration) func(*testing.T, hop.Outcome) {
	return func(t *testing.T, o hop.Outcome) {
		t.Helper()
		if o.Kind != hop.Retry || o.After != after {
			t.Errorf("got %s after %v: %v, want a retry after %v", o.Kind, o.After, o.Err, after)
		}
	}
}

func TestTheLastTryThatFailsIsADeadLetter(t *testing.T) {
	t.Parallel()
	c := setup(t)
	r := newReceiver(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Retry-After", "60")
		status(http.StatusServiceUnavailable)(w, req)
	})
	in := completed(r.URL)
	for tries := range schedule {
		o := c.handle(t.Context(), in)
		if tries == len(schedule)-1 {
			wantDead(t, o, events.ReasonUndelivered)
			break
		}
		if o.Kind != hop.Retry {
			t.Fatalf("after try %d: %s %v", tries, o.Kind, o.Err)
		}
		in = in.Again(accepted.Add(o.After))
	}
	if got := len(r.got()); got != len(schedule) {
		t.Errorf("the receiver got %d posts, want %d", got, len(schedule))
	}
}

func TestARequestsDeadlineDoesNotEndTheDelivery(t *testing.T) {
	t.Parallel()
	c, r := setup(t), newReceiver(t, status(http.StatusNoContent))
	in := completed(r.URL)
	in.Expiry = time.Unix(1, 0)
	wantDone(t, c.handle(t.Context(), in))
	if got := len(r.got()); got != 1 {
		t.Errorf("the receiver got %d posts, want 1", got)
	}
}

// speak is a server that answers what it is sent with raw bytes, and then closes the connection.
func speak(t *testing.T, answer string) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
}

func TestADeliveryWithoutAnAnswerIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		url  func(t *testing.T) string
		says string
	}{
		{"nobody listens", refusing, "connection refused"},
		{"the connection is closed", func(t *testing.T) string { return speak(t, "") }, "closed without an answer"},
		{"the answer is not HTTP", func(t *testing.T) string { return speak(t, receiverSay+"\r\n\r\n") }, "no valid HTTP answer"},
		{"the status is no number", func(t *testing.T) string {
			return speak(t, "HTTP/1.1 "+receiverSay+" OK\r\n\r\n")
		}, "no valid HTTP answer"},
		{"the headers have no end", func(t *testing.T) string {
			return speak(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat(receiverSay, 10_000)+"\r\n\r\n")
		}, "no valid HTTP answer"},
		{"the redirect leads nowhere", func(t *testing.T) string {
			return speak(t, "HTTP/1.1 302 Found\r\nLocation: http://["+receiverSay+"\r\n\r\n")
		}, "no valid HTTP answer"},
		{"it speaks http and not https", func(t *testing.T) string {
			return strings.Replace(newReceiver(t, status(200)).URL, "http", "https", 1)
		}, "not TLS"},
		{"its certificate is of no known authority", func(t *testing.T) string {
			return newTLS(t, status(200)).URL
		}, "certificate could not be verified"},
		{"its name has no address", func(*testing.T) string { return "https://nothing.example.com" }, "no such host"},
		{"its name resolves to a private address", func(*testing.T) string {
			return "https://private.example.com"
		}, "blocked: private"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			addr := netip.MustParseAddr("10.1.2.3")
			c := setup(t, func(cfg *callback.Config, _ *catalog.Catalog) {
				cfg.Resolver = dnstest.Serve(t, func(int) []netip.Addr {
					if strings.Contains(tc.name, "no address") {
						return nil
					}
					return []netip.Addr{addr}
				})
			})
			o := c.handle(t.Context(), completed(tc.url(t)))
			wantRetry(t, o, 5*time.Second)
			if o.Err == nil || !strings.Contains(o.Err.Error(), tc.says) {
				t.Errorf("got %v, want it to say %q", o.Err, tc.says)
			}
		})
	}
}

func TestAURLThatMayNotBeReachedIsADeadLetterAtOnce(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"a private address":       "https://10.0.0.1",
		"another loopback":        "http://127.0.0.2",
		"metadata":                "http://169.254.169.254",
		"metadata, IPv4-mapped":   "http://[::ffff:169.254.169.254]",
		"a NAT64 address":         "https://[64:ff9b::7f00:1]",
		"another scheme":          "ftp://hooks.example.com",
		"credentials":             "https://user:hunter2@hooks.example.com",
		"no host":                 "https://",
		"nothing that is a URL":   "https://hooks.example.com:port",
		"a bad percent in a host": "https://%zz",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantDead(t, setup(t).handle(t.Context(), completed(url)), events.ReasonBlocked)
		})
	}
	t.Run("http where it is not allowed", func(t *testing.T) {
		t.Parallel()
		r := newReceiver(t, status(http.StatusNoContent))
		c := setup(t, func(_ *callback.Config, cat *catalog.Catalog) { cat.Callbacks.AllowHTTP = false })
		wantDead(t, c.handle(t.Context(), completed(r.URL)), events.ReasonBlocked)
		if got := len(r.got()); got != 0 {
			t.Errorf("the receiver got %d posts", got)
		}
	})
	t.Run("loopback where it is not allowed", func(t *testing.T) {
		t.Parallel()
		r := newReceiver(t, status(http.StatusNoContent))
		c := setup(t, func(_ *callback.Config, cat *catalog.Catalog) { cat.Callbacks.AllowNetworks = nil })
		wantDead(t, c.handle(t.Context(), completed(r.URL)), events.ReasonBlocked)
		if got := len(r.got()); got != 0 {
			t.Errorf("the receiver got %d posts", got)
		}
	})
}

// newTLS is a receiver that speaks https.
func newTLS(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewUnstartedServer(r.noting(answer))
	r.EnableHTTP2 = true
	r.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that a test means to fail
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

func TestHTTPSIsDelivered(t *testing.T) {
	t.Parallel()
	r := newTLS(t, status(http.StatusNoContent))
	c := setup(t, func(cfg *callback.Config, cat *catalog.Catalog) {
		cfg.RootCAs = x509.NewCertPool()
		cfg.RootCAs.AddCert(r.Certificate())
		cat.Callbacks.AllowHTTP = false
	})
	wantDone(t, c.handle(t.Context(), completed(r.URL)))
	if got := len(r.got()); got != 1 {
		t.Errorf("the receiver got %d posts, want 1", got)
	}
}

func TestAReceiverThatDoesNotAnswerIsGivenUpInTime(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
	c := setup(t, func(_ *callback.Config, cat *catalog.Catalog) { cat.Callbacks.Timeout = time.Millisecond })
	o := c.handle(t.Context(), completed(r.URL))
	wantRetry(t, o, 5*time.Second)
	if o.Err == nil || !strings.Contains(o.Err.Error(), "timeout") {
		t.Errorf("got %v, want it to say timeout", o.Err)
	}
}

func TestAShutdownIsNotTheReceiversFault(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := newReceiver(t, func(_ http.ResponseWriter, req *http.Request) {
		cancel()
		<-req.Context().Done()
	})
	if _, err := setup(t).Handle(ctx, completed(r.URL)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestAnAnswerWithoutEndIsNotReadToIt(t *testing.T) {
	t.Parallel()
	const plenty = 128 << 20 // far over what the sockets in between can hold
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat(receiverSay, 1000))
		for wrote := 0; wrote < plenty; wrote += len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
		t.Error("the whole answer was read")
	})
	wantDone(t, setup(t).handle(t.Context(), completed(r.URL)))
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	peers := map[string]bool{}
	r := newReceiver(t, func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		peers[req.RemoteAddr] = true
		mu.Unlock()
		status(http.StatusOK)(w, req)
	})
	c := setup(t)
	for range 20 {
		wantDone(t, c.handle(t.Context(), completed(r.URL)))
	}
	if len(peers) != 1 {
		t.Errorf("20 deliveries took %d connections, want 1", len(peers))
	}
}

func TestAnIdleConnectionThatTheReceiverClosedCostsNoTry(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// It answers the first request of a connection, and closes on the second when that has come.
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				if req, err := http.ReadRequest(r); err == nil {
					_, _ = io.Copy(io.Discard, req.Body)
				}
			})
		}
	})
	c := setup(t)
	for range 3 {
		wantDone(t, c.handle(t.Context(), completed("http://"+l.Addr().String())))
	}
	c.Close()
	_ = l.Close()
	wg.Wait()
}
