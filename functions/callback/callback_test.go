package callback_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/callback"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What may never be in a log or an error, each where a test puts it.
const (
	pathToken   = "path-token-5f2a"
	queryToken  = "query-token-9c1b"
	output      = "output-of-the-model-77ab"
	receiverSay = "words-of-the-receiver-c3d1"
)

var oldSecret, newSecret = secret('o'), secret('n')

func secret(fill byte) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32))
}

var (
	accepted = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	schedule = []time.Duration{
		0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
	}
)

// chain is a callback function with what is around it.
type chain struct {
	*callback.Callback
	t       *testing.T
	store   *results.Store
	catalog atomic.Pointer[catalog.Catalog]
	reads   atomic.Int32 // of secrets
	logs    bytes.Buffer
	mu      sync.Mutex // of logs
}

// setup returns a callback function whose catalog allows http to loopback. Whatever it says is checked in the end for what
// may not be in a log.
func setup(t *testing.T, change ...func(*callback.Config, *catalog.Catalog)) *chain {
	t.Helper()
	c := &chain{t: t, store: results.New(results.NewMemory()).WithClock(func() time.Time { return accepted })}
	cat := &catalog.Catalog{
		Callbacks: catalog.Callbacks{
			AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, AllowHTTP: true,
			Retries: schedule, Timeout: 30 * time.Second,
		},
		Tenants: map[string]*catalog.Tenant{"search": {Name: "search", Secrets: []catalog.Secret{"new", "old"}}},
	}
	cfg := callback.Config{
		Catalog: c.catalog.Load,
		Results: c.store,
		Secrets: func(ref catalog.Secret) (string, error) {
			c.reads.Add(1)
			switch ref {
			case "new":
				return newSecret, nil
			case "old":
				return oldSecret, nil
			default:
				return "", errors.New("no such variable")
			}
		},
		Version: "1.2.3",
	}
	for _, f := range change {
		f(&cfg, cat)
	}
	c.catalog.Store(cat)
	c.Callback = callback.New(cfg)
	t.Cleanup(func() {
		c.Close()
		c.assertDiscreet()
	})
	return c
}

// handle has the event handled, and returns what the runtime would do. It writes the runtime's line to the log.
func (c *chain) handle(ctx context.Context, in events.Event) hop.Outcome {
	c.t.Helper()
	out, err := c.Handle(ctx, in)
	if len(out) != 0 {
		c.t.Errorf("callback emitted %d events", len(out))
	}
	o := hop.Limits{Tries: 100}.Classify(in, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	slog.New(slog.NewTextHandler(&c.logs, nil)).Info("settled", "id", in.ID, "outcome", o.Kind, "reason", o.Reason, "error", err)
	return o
}

// assertDiscreet is the one assertion of what is never in a log.
func (c *chain) assertDiscreet() {
	c.t.Helper()
	for line := range strings.SplitSeq(c.logs.String(), "\n") {
		for _, never := range []string{
			pathToken, queryToken, output, receiverSay, "hunter2",
			oldSecret, newSecret, strings.TrimPrefix(oldSecret, "whsec_"), strings.TrimPrefix(newSecret, "whsec_"),
		} {
			if strings.Contains(line, never) {
				c.t.Errorf("the log holds %q: %s", never, line)
			}
		}
	}
}

// completed returns a completed event with a result that is to be delivered to the base URL.
func completed(base string) events.Event {
	e := events.New("search", events.Request{RequestID: "r-1", ModelID: "gpt"}, events.Normal, nil, accepted, accepted.Add(time.Hour))
	e = e.Next(events.Schedule, events.Scheduled, 1, accepted)
	e.Target = "openai-main"
	e = e.Next(events.Infer, events.Completed, 1, accepted.Add(time.Second))
	e.Data = result(e.Subject, events.StatusCompleted, output)
	if base != "" {
		e.CallbackURL = base + "/" + pathToken + "?t=" + queryToken
	}
	return e
}

// result returns the bytes of a result, as the chain makes them.
func result(messageID string, status events.Status, text string) []byte {
	b, err := json.Marshal(events.Result{
		MessageID: messageID, Status: status, Output: text, Message: json.RawMessage(`{"role":"assistant"}`),
	})
	if err != nil {
		panic(err)
	}
	return b
}

// post is one POST that a receiver got.
type post struct {
	header http.Header
	body   string
}

// receiver is a server on loopback that notes what it gets and answers as it is told.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	posts []post
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(r.noting(answer))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) noting(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(req.Body)
		r.mu.Lock()
		r.posts = append(r.posts, post{req.Header.Clone(), body.String()})
		r.mu.Unlock()
		answer(w, req)
	}
}

func (r *receiver) got() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]post(nil), r.posts...)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		if code != http.StatusNoContent && code != http.StatusNotModified {
			_, _ = w.Write([]byte(receiverSay))
		}
	}
}

func verifier(t *testing.T, secrets ...string) *webhook.Verifier {
	t.Helper()
	v, err := webhook.NewVerifier(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wantDone(t *testing.T, o hop.Outcome) {
	t.Helper()
	if o.Kind != hop.Done {
		t.Errorf("got %s %s: %v, want done", o.Kind, o.Reason, o.Err)
	}
}

func wantDead(t *testing.T, o hop.Outcome, reason events.Reason) {
	t.Helper()
	if o.Kind != hop.Dead || o.Reason != reason {
		t.Errorf("got %s %s: %v, want it dead: %s", o.Kind, o.Reason, o.Err, reason)
	}
}

// wantRetry checks for a retry in a delay that is a tenth more or less.
func wantRetry(t *testing.T, o hop.Outcome, base time.Duration) {
	t.Helper()
	if o.Kind != hop.Retry || o.After < base*9/10 || o.After > base*11/10 {
		t.Errorf("got %s %s after %v: %v, want a retry after %v, a tenth more or less", o.Kind, o.Reason, o.After, o.Err, base)
	}
}

// refusing is an address that nothing listens on.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}
