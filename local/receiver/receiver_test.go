package receiver_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/webhook"
	"baton.dev/baton/local/receiver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func secret(fill byte) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32))
}

// setup returns a receiver that knows two tenants' secrets, and its server.
func setup(t *testing.T, keep int) (*receiver.Receiver, *httptest.Server) {
	t.Helper()
	v, err := webhook.NewVerifier([]string{secret('a'), secret('b')})
	if err != nil {
		t.Fatal(err)
	}
	r := receiver.New(receiver.Config{Verifier: v, Keep: keep})
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return r, s
}

// request returns a callback, signed with the secret.
func request(ctx context.Context, t *testing.T, url, secret, id string) *http.Request {
	t.Helper()
	body := `{"output":"` + id + `"}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := webhook.NewSigner([]string{secret})
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Sign(req.Header, id, time.Now(), []byte(body)); err != nil {
		t.Fatal(err)
	}
	req.Header.Set("ce-type", "dev.baton.inference.completed.v1")
	req.Header.Set("ce-subject", "message-of-"+id)
	return req
}

func do(t *testing.T, req *http.Request) *http.Response {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp
}

type listing struct {
	Received, Verified int
	Deliveries         []receiver.Delivery
}

func list(t *testing.T, url string) listing {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	var l listing
	if err := json.NewDecoder(resp.Body).Decode(&l); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestACallbackIsVerifiedByAnyTenantsSecret(t *testing.T) {
	t.Parallel()
	r, s := setup(t, 0)
	for fill, want := range map[byte]int{'a': 204, 'b': 204, 'c': 401} {
		if got := do(t, request(t.Context(), t, s.URL, secret(fill), "id-"+string(fill))).StatusCode; got != want {
			t.Errorf("secret %c: answered %d, want %d", fill, got, want)
		}
	}
	unsigned := request(t.Context(), t, s.URL, secret('a'), "id")
	unsigned.Header.Del("webhook-signature")
	if got := do(t, unsigned).StatusCode; got != 401 {
		t.Errorf("unsigned: answered %d, want 401", got)
	}
	if got, want := r.Counts(), (receiver.Counts{Received: 4, Verified: 2}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestWhatCameIsListedNewestFirstWithoutBodies(t *testing.T) {
	t.Parallel()
	_, s := setup(t, 3)
	for i := range 5 {
		do(t, request(t.Context(), t, s.URL, secret('a'), fmt.Sprintf("id-%d", i)))
	}
	got := list(t, s.URL)
	if got.Received != 5 || got.Verified != 5 || len(got.Deliveries) != 3 {
		t.Fatalf("got %+v, want 5, and the latest 3", got)
	}
	for i, d := range got.Deliveries {
		id := fmt.Sprintf("id-%d", 4-i)
		sum := sha256.Sum256([]byte(`{"output":"` + id + `"}`))
		want := receiver.Delivery{
			WebhookID: id, Type: "dev.baton.inference.completed.v1", MessageID: "message-of-" + id,
			Bytes: 17, SHA256: hex.EncodeToString(sum[:]), Verified: true, Status: 204, At: d.At,
		}
		if d != want || d.At.IsZero() {
			t.Errorf("got %+v, want %+v", d, want)
		}
	}
	if got := list(t, s.URL+"?limit=1"); len(got.Deliveries) != 1 || got.Deliveries[0].WebhookID != "id-4" {
		t.Errorf("got %+v, want the newest alone", got.Deliveries)
	}
}

func TestItMisbehavesWhenTheURLSaysSo(t *testing.T) {
	t.Parallel()
	r, s := setup(t, 0)
	resp := do(t, request(t.Context(), t, s.URL+"?status=503&retry_after=2", secret('a'), "id"))
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "2" {
		t.Errorf("answered %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	if got := r.Counts(); got.Verified != 1 {
		t.Errorf("counted %+v, want the signature verified all the same", got)
	}
	for _, bad := range []string{"?status=99", "?status=1000", "?status=x"} {
		if got := do(t, request(t.Context(), t, s.URL+bad, secret('a'), "id")).StatusCode; got != 400 {
			t.Errorf("%s: answered %d, want 400", bad, got)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	watch := r.Watch(t.Context())
	go func() {
		for range watch {
			cancel() // it came, and is not answered
			return
		}
	}()
	if resp, err := http.DefaultClient.Do(request(ctx, t, s.URL+"?hang=1", secret('a'), "id")); err == nil {
		_ = resp.Body.Close()
		t.Errorf("answered %d, want no answer", resp.StatusCode)
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	t.Parallel()
	_, s := setup(t, 0)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if got := do(t, req).StatusCode; got != http.StatusMethodNotAllowed {
		t.Errorf("answered %d", got)
	}
}

func TestAWatchMissesNothingFromItsCallOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, err := webhook.NewVerifier([]string{secret('a')})
		if err != nil {
			t.Fatal(err)
		}
		r := receiver.New(receiver.Config{Verifier: v, Keep: 4})
		send := func(id string) { r.ServeHTTP(httptest.NewRecorder(), request(t.Context(), t, "/", secret('a'), id)) }
		ctx, cancel := context.WithCancel(t.Context())
		send("before")
		watch := r.Watch(ctx)
		send("1") // before the loop begins
		seen := make(chan string, 16)
		go func() {
			defer close(seen)
			for d := range watch {
				seen <- d.WebhookID
			}
		}()
		synctest.Wait()
		for _, id := range []string{"2", "3"} {
			send(id)
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		send("after")
		var got []string
		for id := range seen {
			got = append(got, id)
		}
		if s := strings.Join(got, " "); s != "1 2 3" {
			t.Errorf("saw %q, want what came from the call to the end", s)
		}
	})
}

func TestAWatchThatFallsBehindGoesOnWithTheOldestThatIsKept(t *testing.T) {
	t.Parallel()
	v, err := webhook.NewVerifier([]string{secret('a')})
	if err != nil {
		t.Fatal(err)
	}
	r := receiver.New(receiver.Config{Verifier: v, Keep: 2})
	watch := r.Watch(t.Context())
	for i := range 5 {
		r.ServeHTTP(httptest.NewRecorder(), request(t.Context(), t, "/", secret('a'), strconv.Itoa(i)))
	}
	var got []string
	for d := range watch {
		if got = append(got, d.WebhookID); len(got) == 2 {
			break
		}
	}
	if s := strings.Join(got, " "); s != "3 4" {
		t.Errorf("saw %q, want 3 and 4", s)
	}
}

func TestItAgreesToBeCalled(t *testing.T) {
	t.Parallel()
	r, s := setup(t, 0)
	ask, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	ask.Header.Set("WebHook-Request-Origin", "baton.example.com")
	ask.Header.Set("WebHook-Request-Rate", "120")
	res, err := s.Client().Do(ask)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK || res.Header.Get("WebHook-Allowed-Origin") != "*" || res.Header.Get("WebHook-Allowed-Rate") != "*" {
		t.Errorf("got %d, %v", res.StatusCode, res.Header)
	}
	if n := r.Counts().Received; n != 0 {
		t.Errorf("it takes the question for %d deliveries", n)
	}
}
