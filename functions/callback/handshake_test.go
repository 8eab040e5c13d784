package callback_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/callback"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
)

// asked returns a callback whose tenant wants receivers to agree, by the clock.
func asked(t *testing.T, now *time.Time) *chain {
	t.Helper()
	return setup(t, func(cfg *callback.Config, cat *catalog.Catalog) {
		cfg.Origin, cfg.Now = "chain.example.com", func() time.Time { return *now }
		cat.Tenants["search"].Handshake = true
	})
}

// agreeing answers OPTIONS with the status and headers, and a POST with 204.
func agreeing(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	}
}

// nth returns a completed event of another request.
func nth(n int, base string) events.Event {
	in := completed(base)
	in.Subject += strconv.Itoa(n)
	in.ID += strconv.Itoa(n)
	return in
}

func TestAReceiverIsAskedOnceWhetherItMayBeCalled(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := asked(t, &now)
	c.catalog.Load().Tenants["search"].Rate = 2.5
	r := newReceiver(t, agreeing(http.StatusOK, "WebHook-Allowed-Origin", "chain.example.com", "WebHook-Allowed-Rate", "*"))
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() { wantDone(t, c.handle(t.Context(), nth(n, r.URL))) })
	}
	all.Wait()
	got := r.got()
	if len(got) != 21 {
		t.Fatalf("%d requests, want one OPTIONS and 20 POSTs", len(got))
	}
	h := got[0].header
	if h.Get("WebHook-Request-Origin") != "chain.example.com" || h.Get("WebHook-Request-Rate") != "150" || h.Get("Webhook-Signature") != "" {
		t.Errorf("asked with %v", h)
	}
	now = now.Add(23 * time.Hour)
	wantDone(t, c.handle(t.Context(), nth(100, r.URL)))
	if len(r.got()) != 22 {
		t.Error("asked again within a day")
	}
	now = now.Add(2 * time.Hour)
	wantDone(t, c.handle(t.Context(), nth(101, r.URL)))
	if len(r.got()) != 24 {
		t.Error("not asked again after a day")
	}
}

func TestWhatAnAnswerToTheHandshakeMeans(t *testing.T) {
	t.Parallel()
	const origin, rate = "WebHook-Allowed-Origin", "WebHook-Allowed-Rate"
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		want   func(t *testing.T, o hop.Outcome)
	}{
		{"the origin", agreeing(200, origin, "Chain.Example.com"), wantDone},
		{"any origin, and any rate", agreeing(204, origin, "*", rate, "*"), wantDone},
		{"another origin", agreeing(200, origin, "other.example.com"), dead(events.ReasonBlocked)},
		{"no origin", agreeing(200), dead(events.ReasonBlocked)},
		{"a rate that cannot be read", agreeing(200, origin, "*", rate, "many"), dead(events.ReasonBlocked)},
		{"a rate of none", agreeing(200, origin, "*", rate, "0"), dead(events.ReasonBlocked)},
		{"405", agreeing(405, origin, "*"), dead(events.ReasonBlocked)},
		{"404", agreeing(404), dead(events.ReasonBlocked)},
		{"a redirect", agreeing(302, origin, "*"), dead(events.ReasonBlocked)},
		{"503", agreeing(503), retry(5 * time.Second)},
		{"500", agreeing(500), retry(5 * time.Second)},
		{"429 with Retry-After", agreeing(429, "Retry-After", "60"), exactly(time.Minute)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			now := time.Now()
			c, r := asked(t, &now), newReceiver(t, tc.answer)
			tc.want(t, c.handle(t.Context(), completed(r.URL)))
		})
	}
}

func TestAReceiverThatDidNotAgreeIsAskedAgainAfterAWhile(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := asked(t, &now)
	r := newReceiver(t, agreeing(http.StatusMethodNotAllowed))
	for n := range 3 {
		wantDead(t, c.handle(t.Context(), nth(n, r.URL)), events.ReasonBlocked)
	}
	if len(r.got()) != 1 {
		t.Errorf("%d requests, want one OPTIONS", len(r.got()))
	}
	now = now.Add(6 * time.Minute)
	wantDead(t, c.handle(t.Context(), nth(9, r.URL)), events.ReasonBlocked)
	if len(r.got()) != 2 {
		t.Errorf("%d requests, want two OPTIONS", len(r.got()))
	}
}

func TestTheHandshakePassesTheSameGuard(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := asked(t, &now)
	wantDead(t, c.handle(t.Context(), completed("http://10.0.0.1")), events.ReasonBlocked)
	wantRetry(t, c.handle(t.Context(), nth(2, refusing(t))), 5*time.Second)
}

func TestDeliveriesAboveTheRateArePutOff(t *testing.T) {
	t.Parallel()
	now := accepted
	c := asked(t, &now)
	r := newReceiver(t, agreeing(http.StatusOK, "WebHook-Allowed-Origin", "*", "WebHook-Allowed-Rate", "60"))
	deliveries := func() int { return len(r.got()) - 1 }
	for n := range 15 { // a quarter of a minute's may go at once
		wantDone(t, c.handle(t.Context(), nth(n, r.URL)))
	}
	late := nth(99, r.URL)
	var waits []time.Duration
	for range 4 {
		o := c.handle(t.Context(), late)
		if o.Kind != hop.Parked || !o.Until.After(now) {
			t.Fatalf("got %s: %v, want it put off", o.Kind, o.Err)
		}
		waits = append(waits, o.Until.Sub(now))
		late = late.Parked(o.Until)
	}
	if waits[3] < 2*waits[0] || waits[3] > time.Minute {
		t.Errorf("put off for %v: one that waits longer is to leave more room", waits)
	}
	if deliveries() != 15 || late.Tries != 0 {
		t.Errorf("%d deliveries, %d tries", deliveries(), late.Tries)
	}
	// No minute has more than was agreed to.
	most, began := 0, now
	for n := 200; now.Before(began.Add(time.Minute)); n++ {
		if o := c.handle(t.Context(), nth(n, r.URL)); o.Kind == hop.Done {
			most++
		}
		now = now.Add(250 * time.Millisecond)
	}
	if most > 60 || most < 40 {
		t.Errorf("%d deliveries in a minute", most)
	}
	now = now.Add(time.Minute)
	wantDone(t, c.handle(t.Context(), late))
}

func TestADeliveryThatIsPutOffForADayIsGivenUpByTheSchedule(t *testing.T) {
	t.Parallel()
	now := accepted.Add(30 * time.Hour)
	c := asked(t, &now)
	r := newReceiver(t, agreeing(http.StatusOK, "WebHook-Allowed-Origin", "*", "WebHook-Allowed-Rate", "1"))
	wantDone(t, c.handle(t.Context(), nth(1, r.URL)))
	o := c.handle(t.Context(), nth(2, r.URL))
	if o.Kind != hop.Retry || o.After < 5*time.Second {
		t.Errorf("got %s after %v: %v, want a try that counts", o.Kind, o.After, o.Err)
	}
	if got := fmt.Sprint(o.Err); got != "callback: deliver to "+r.Listener.Addr().String()+": it has agreed to no more than 1 a minute" {
		t.Errorf("the error is %q", got)
	}
}

func TestADeliveryThatStopsDoesNotStopTheQuestionThatOthersWaitFor(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := asked(t, &now)
	came, answer := make(chan struct{}, 9), make(chan struct{})
	agrees := agreeing(http.StatusOK, "WebHook-Allowed-Origin", "*")
	r := newReceiver(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodOptions {
			came <- struct{}{}
			<-answer
		}
		agrees(w, req)
	})
	drained, drain := context.WithCancel(t.Context())
	stopped := make(chan hop.Outcome, 1)
	go func() { stopped <- c.handle(drained, nth(1, r.URL)) }()
	<-came
	drain()
	if o := <-stopped; o.Kind == hop.Done || o.Kind == hop.Retry && o.After == 5*time.Second {
		t.Errorf("the delivery that stopped got %s after %v: %v, want no try counted", o.Kind, o.After, o.Err)
	}
	done := make(chan hop.Outcome, 1)
	go func() { done <- c.handle(t.Context(), nth(2, r.URL)) }()
	close(answer)
	wantDone(t, <-done)
	if got := r.got(); len(got) != 2 {
		t.Errorf("%d requests, want one OPTIONS and one POST", len(got))
	}
}
