package natsbus_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	cejetstream "github.com/cloudevents/sdk-go/protocol/nats_jetstream/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/natstest"
)

var (
	at         = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	normalLane = events.Lane{Hop: events.Schedule, Priority: events.Normal}
)

func requested(n int) events.Event {
	r := events.Request{RequestID: string(rune('a' + n)), ModelID: "m"}
	return events.New("tenant", r, events.Normal, []byte(`{"model_id":"m","prompt":"é"}`), at, at.Add(time.Hour))
}

// receiveOne returns the next delivery of the lane.
func receiveOne(t *testing.T, b hop.Source, lane events.Lane) hop.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []hop.Delivery
	for len(got) == 0 && ctx.Err() == nil {
		if err := b.Receive(ctx, lane, 1, func(d hop.Delivery) { got = append(got, d) }); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) == 0 {
		t.Fatal("nothing was received")
	}
	return got[0]
}

func TestTheOfficialSDKReadsWhatBatonWrites(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, false)
	b, nc := openBus(t, s, false), natstest.Connect(t, s)
	sub, err := nc.SubscribeSync("baton.schedule.normal")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	e := requested(1)
	e.Attempt = 2
	e.Tried = []string{"a", "b"}
	if err := b.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	msg, err := sub.NextMsg(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	ce, err := binding.ToEvent(t.Context(), cejetstream.NewMessage(msg))
	if err != nil {
		t.Fatal(err)
	}
	if err := ce.Validate(); err != nil {
		t.Fatal(err)
	}
	if ce.ID() != e.ID || ce.Type() != string(e.Type) || ce.Source() != e.Source || ce.Subject() != e.Subject || !ce.Time().Equal(e.Time) ||
		ce.DataContentType() != events.JSON || ce.DataSchema() != events.SchemaURI || !bytes.Equal(ce.Data(), e.Data) {
		t.Errorf("the SDK reads\n%v, want\n%+v", ce, e)
	}
	for name, want := range map[string]string{
		"tenant": "tenant", "priority": "normal", "model": "m", "attempt": "2", "tried": "a,b", "correlationid": e.Subject,
		"expirytime": "2026-01-02T04:04:05.678Z",
	} {
		if got := ce.Extensions()[name]; got != want {
			t.Errorf("the SDK reads %s as %v, want %s", name, got, want)
		}
	}
}

func TestBatonReadsWhatTheOfficialSDKWrites(t *testing.T) {
	t.Parallel()
	for name, force := range map[string]func(context.Context) context.Context{
		"in binary mode":     binding.WithForceBinary,
		"in structured mode": binding.WithForceStructured,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := natstest.Start(t, false)
			b, nc := openBus(t, s, false), natstest.Connect(t, s)
			want := requested(1)
			want.Extra = map[string]any{"unquoted": "100% \"é\" %zz", "looksencoded": "plain"}
			ce, err := want.CloudEvent()
			if err != nil {
				t.Fatal(err)
			}
			ce.SetExtension("anint", 42)
			publishBySDK(force(t.Context()), t, nc, ce)
			d := receiveOne(t, b, normalLane)
			got := d.Event
			if d.Err != nil || got.ID != want.ID || got.Subject != want.Subject || got.Tenant != want.Tenant || !got.Expiry.Equal(want.Expiry) ||
				got.DataContentType != events.JSON || !bytes.Equal(got.Data, want.Data) {
				t.Errorf("received %v\n%+v, want\n%+v", d.Err, got, want)
			}
			for name, want := range map[string]string{"unquoted": "100% \"é\" %zz", "looksencoded": "plain", "anint": "42"} {
				if got := events.Text(got.Extra[name]); got != want {
					t.Errorf("received %s as %q, want %q", name, got, want)
				}
			}
			if err := d.Ack(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// publishBySDK publishes as the SDK's sender does, but on a subject of the chain.
func publishBySDK(ctx context.Context, t *testing.T, nc *nats.Conn, ce cloudevents.Event) {
	t.Helper()
	var body bytes.Buffer
	header, err := cejetstream.WriteMsg(ctx, binding.ToMessage(&ce), &body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.RequestMsg(&nats.Msg{Subject: "baton.schedule.normal", Header: header, Data: body.Bytes()}, time.Minute); err != nil {
		t.Fatal(err)
	}
}

func TestAMessageThatIsNoEventArrivesWithItsFault(t *testing.T) {
	t.Parallel()
	for name, msg := range map[string]*nats.Msg{
		"no event at all":          {Data: []byte("hello")},
		"no JSON object":           {Data: []byte("[1]")},
		"structured without an id": {Data: []byte(`{"specversion":"1.0","type":"t","source":"s"}`)},
		"binary without a type":    {Header: nats.Header{"ce-specversion": {"1.0"}, "ce-id": {"x"}, "ce-source": {"s"}}},
		"another version":          {Header: nats.Header{"ce-specversion": {"0.3"}, "ce-id": {"x"}, "ce-source": {"s"}, "ce-type": {"t"}}},
		"an attempt in words":      {Header: nats.Header{"ce-specversion": {"1.0"}, "ce-id": {"x"}, "ce-source": {"s"}, "ce-type": {"t"}, "ce-attempt": {"two"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := natstest.Start(t, false)
			b, nc := openBus(t, s, false), natstest.Connect(t, s)
			msg.Subject = "baton.schedule.normal"
			if _, err := nc.RequestMsg(msg, time.Minute); err != nil {
				t.Fatal(err)
			}
			d := receiveOne(t, b, normalLane)
			if d.Err == nil || d.Event.ID == "" || !bytes.Equal(d.Event.Data, msg.Data) {
				t.Fatalf("received %+v with the fault %v", d.Event, d.Err)
			}
			// It is a dead letter like any other.
			letter := d.Event.AsDead(events.DeadLetter{Hop: events.Schedule, Reason: events.ReasonUndecodable, Detail: d.Err.Error(), Time: at})
			if err := b.Publish(t.Context(), letter); err != nil {
				t.Fatal(err)
			}
			for l, err := range b.DeadLetters(t.Context()) {
				if err != nil || l.Event.ID != d.Event.ID || l.Event.Dead == nil || l.Event.Dead.Detail != letter.Dead.Detail || !bytes.Equal(l.Event.Data, msg.Data) {
					t.Errorf("the dead letter is %+v, %v", l.Event, err)
				}
			}
		})
	}
}
