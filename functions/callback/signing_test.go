package callback_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	cebinding "github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/callback"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
)

func TestEverySecretSignsUntilAReloadTakesItOut(t *testing.T) {
	t.Parallel()
	c, r := setup(t), newReceiver(t, status(http.StatusNoContent))
	wantDone(t, c.handle(t.Context(), completed(r.URL)))

	next := *c.catalog.Load()
	next.Tenants = map[string]*catalog.Tenant{"search": {Name: "search", Secrets: []catalog.Secret{"new"}}}
	c.catalog.Store(&next)
	wantDone(t, c.handle(t.Context(), completed(r.URL)))

	got := r.got()
	for i, want := range []struct{ byNew, byOld bool }{{true, true}, {true, false}} {
		p := got[i]
		byNew := verifier(t, newSecret).Verify(p.header, []byte(p.body), time.Now()) == nil
		byOld := verifier(t, oldSecret).Verify(p.header, []byte(p.body), time.Now()) == nil
		if byNew != want.byNew || byOld != want.byOld {
			t.Errorf("delivery %d is signed by new %t, old %t; want %t, %t", i, byNew, byOld, want.byNew, want.byOld)
		}
	}
}

func TestSecretsAreReadOnceForACatalogAndTenant(t *testing.T) {
	t.Parallel()
	c, r := setup(t), newReceiver(t, status(http.StatusNoContent))
	for range 10 {
		wantDone(t, c.handle(t.Context(), completed(r.URL)))
	}
	if got := c.reads.Load(); got != 2 {
		t.Errorf("secrets were read %d times for ten events, want 2", got)
	}
	reloaded := *c.catalog.Load()
	c.catalog.Store(&reloaded)
	wantDone(t, c.handle(t.Context(), completed(r.URL)))
	if got := c.reads.Load(); got != 4 {
		t.Errorf("secrets were read %d times after a reload, want 4", got)
	}
}

func TestDeliveriesAndReloadsAtOnce(t *testing.T) {
	t.Parallel()
	c, r := setup(t), newReceiver(t, status(http.StatusNoContent))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				wantDone(t, c.handle(t.Context(), completed(r.URL)))
				next := *c.catalog.Load()
				c.catalog.Store(&next)
			}
		})
	}
	wg.Wait()
	for _, p := range r.got() {
		if err := verifier(t, newSecret).Verify(p.header, []byte(p.body), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWithoutASignatureNothingIsDelivered(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		tenant *catalog.Tenant
		want   func(*testing.T, hop.Outcome)
	}{
		{"the tenant is gone", nil, dead(events.ReasonMisconfigure)},
		{"the tenant has no secret", &catalog.Tenant{}, dead(events.ReasonMisconfigure)},
		{"a secret cannot be read", &catalog.Tenant{Secrets: []catalog.Secret{"new", "missing"}}, retry(5 * time.Second)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, status(http.StatusNoContent))
			c := setup(t, func(_ *callback.Config, cat *catalog.Catalog) {
				delete(cat.Tenants, "search")
				if tc.tenant != nil {
					cat.Tenants["search"] = tc.tenant
				}
			})
			in := completed(r.URL)
			tc.want(t, c.handle(t.Context(), in))
			if got := len(r.got()); got != 0 {
				t.Errorf("the receiver got %d posts", got)
			}
			if c.look(in.Subject) == nil {
				t.Error("the result is not stored for polling")
			}
		})
	}
	t.Run("a secret is none", func(t *testing.T) {
		t.Parallel()
		r := newReceiver(t, status(http.StatusNoContent))
		c := setup(t, func(cfg *callback.Config, _ *catalog.Catalog) {
			cfg.Secrets = func(catalog.Secret) (string, error) { return "hunter2", nil }
		})
		wantRetry(t, c.handle(t.Context(), completed(r.URL)), 5*time.Second)
	})
}

// traced returns a completed event with every attribute that there is.
func traced(base string) events.Event {
	in := completed(base)
	in.TraceParent, in.TraceState = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "a=1,b=2"
	in.CacheKey, in.ErrorMessage, in.Tried = "cache-key", "message", []string{"a", "b"}
	in.Hops, in.Tries, in.Copy, in.NotBefore = 3, 2, 2, accepted
	in.Extra = map[string]any{"internal": "x"}
	return in
}

func TestADeliveryHasTheseHeadersAndNoOthers(t *testing.T) {
	t.Parallel()
	c, r := setup(t), newReceiver(t, status(http.StatusNoContent))
	in := traced(r.URL)
	in.Model = `gpt "4" 100% é`
	in.ErrorCode = events.CodeTimeout
	wantDone(t, c.handle(t.Context(), in))
	got := r.got()[0].header
	want := map[string]string{
		"Content-Type":   "application/json",
		"User-Agent":     "baton/1.2.3",
		"Webhook-Id":     in.ID,
		"Ce-Specversion": "1.0", "Ce-Id": in.ID, "Ce-Source": "/baton/infer", "Ce-Type": "dev.baton.inference.completed.v1",
		"Ce-Subject": in.Subject, "Ce-Time": "2026-03-01T12:00:01.123456789Z", "Ce-Model": "gpt%20%224%22%20100%25%20%C3%A9",
		"Ce-Dataschema": events.ResultSchemaURI, "Ce-Target": "openai-main", "Ce-Attempt": "1", "Ce-Errorcode": "timeout",
		"Ce-Correlationid": in.CorrelationID, "Ce-Causationid": in.CausationID,
		"Ce-Traceparent": in.TraceParent, "Ce-Tracestate": in.TraceState,
		"Traceparent": in.TraceParent, "Tracestate": in.TraceState,
	}
	for name, value := range want {
		if got.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, got.Get(name), value)
		}
	}
	for name := range got {
		switch name {
		case "Webhook-Timestamp", "Webhook-Signature", "Content-Length", "Accept-Encoding":
		default:
			if _, ok := want[name]; !ok {
				t.Errorf("%s was sent: %q", name, got.Get(name))
			}
		}
	}
}

func TestATraceThatIsNoHeaderIsNotSentAsOne(t *testing.T) {
	t.Parallel()
	c, r := setup(t), newReceiver(t, status(http.StatusNoContent))
	in := completed(r.URL)
	in.TraceParent = "00\r\nX-Injected: 1"
	wantDone(t, c.handle(t.Context(), in))
	got := r.got()[0].header
	if got.Get("Traceparent") != "" || got.Get("X-Injected") != "" {
		t.Errorf("got %v", got)
	}
	if want := "00%0D%0AX-Injected:%201"; got.Get("Ce-Traceparent") != want {
		t.Errorf("ce-traceparent is %q, want %q", got.Get("Ce-Traceparent"), want)
	}
}

func TestTheOfficialSDKReadsADeliveryAsACloudEvent(t *testing.T) {
	t.Parallel()
	var read, failed string
	in := traced("")
	r := newReceiver(t, status(http.StatusNoContent))
	r.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		e, err := cebinding.ToEvent(req.Context(), cehttp.NewMessageFromHttpRequest(req))
		if err != nil {
			failed = err.Error()
			return
		}
		read = strings.Join([]string{
			e.ID(), e.Source(), e.Type(), e.Subject(), e.DataContentType(), e.Time().UTC().Format(time.RFC3339Nano), string(e.Data()),
		}, "\n")
		w.WriteHeader(http.StatusNoContent)
	})
	in.CallbackURL = r.URL
	wantDone(t, setup(t).handle(t.Context(), in))
	want := strings.Join([]string{
		in.ID, in.Source, string(in.Type), in.Subject, events.JSON, in.Time.UTC().Format(time.RFC3339Nano), string(in.Data),
	}, "\n")
	if failed != "" || read != want {
		t.Errorf("%s\nread\n%s\nwant\n%s", failed, read, want)
	}
}
