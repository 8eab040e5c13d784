package callback_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/callback"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/outbound"
)

// mailbox is a way to queues that keeps what comes, or fails.
type mailbox struct {
	got  []outbound.Message
	to   []string
	fail error
}

func (m *mailbox) Deliver(_ context.Context, name string, msg outbound.Message) error {
	m.got, m.to = append(m.got, msg), append(m.to, name)
	return m.fail
}

func withQueues(routes outbound.Routes, allowed ...string) func(*callback.Config, *catalog.Catalog) {
	return func(cfg *callback.Config, cat *catalog.Catalog) {
		cfg.Queues = routes
		cat.Tenants["search"].CallbackQueues = allowed
	}
}

func toQueue(url string) events.Event {
	in := completed("")
	in.CallbackURL = url
	return in
}

func TestAQueueGetsWhatAWebServerWould(t *testing.T) {
	t.Parallel()
	box := &mailbox{}
	c := setup(t, withQueues(outbound.Routes{outbound.NATS: box}, "nats://results.>"))
	in := toQueue("nats://results.search")
	in.Attempt = 3
	wantDone(t, c.handle(t.Context(), in))
	in.Tries = 1
	wantDone(t, c.handle(t.Context(), in))
	if len(box.got) != 2 || box.to[0] != "results.search" {
		t.Fatalf("delivered %v to %v", box.got, box.to)
	}
	for _, m := range box.got {
		if m.ID != in.ID || m.Subject != in.Subject || !bytes.Equal(m.Data, in.Data) {
			t.Errorf("delivered %+v", m)
		}
		for name, want := range map[string]string{"id": in.ID, "type": string(in.Type), "attempt": "3", "specversion": "1.0"} {
			if m.Attributes[name] != want {
				t.Errorf("attribute %s is %q, want %q", name, m.Attributes[name], want)
			}
		}
		if _, ok := m.Attributes["tenant"]; ok {
			t.Error("what the chain keeps for itself is delivered")
		}
		for _, secret := range []string{newSecret, oldSecret} {
			if err := verifier(t, secret).Verify(m.Webhook, m.Data, time.Now()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestWhatBecomesOfAnEventThatIsForAQueue(t *testing.T) {
	t.Parallel()
	const allowed = "nats://results.search"
	for _, tc := range []struct {
		name, url string
		fail      error
		reason    events.Reason // of a dead letter; empty: it is tried again
	}{
		{"the broker is in trouble", allowed, errors.New("no stream captures the subject"), ""},
		{"the message is too large", allowed, outbound.ErrTooLarge, events.ReasonTooLarge},
		{"the destination is the chain's own", allowed, outbound.ErrRefused, events.ReasonBlocked},
		{"the tenant may not go there any more", "nats://results.other", nil, events.ReasonBlocked},
		{"the URL is none", "nats://baton.schedule.high", nil, events.ReasonBlocked},
		{"there is no way", "sqs://results", nil, events.ReasonMisconfigure},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			box := &mailbox{fail: tc.fail}
			c := setup(t, withQueues(outbound.Routes{outbound.NATS: box}, allowed, "sqs://results"))
			o := c.handle(t.Context(), toQueue(tc.url))
			if tc.reason == "" {
				wantRetry(t, o, 5*time.Second)
			} else {
				wantDead(t, o, tc.reason)
			}
		})
	}
}

func TestWithoutQueuesAnEventForOneIsADeadLetter(t *testing.T) {
	t.Parallel()
	c := setup(t, withQueues(nil, "nats://results.search"), func(cfg *callback.Config, _ *catalog.Catalog) { cfg.Queues = nil })
	wantDead(t, c.handle(t.Context(), toQueue("nats://results.search")), events.ReasonMisconfigure)
}
