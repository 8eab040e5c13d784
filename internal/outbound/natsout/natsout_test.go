package natsout_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	cejetstream "github.com/cloudevents/sdk-go/protocol/nats_jetstream/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"baton.dev/baton/internal/natstest"
	"baton.dev/baton/internal/outbound"
	"baton.dev/baton/internal/outbound/natsout"
	"baton.dev/baton/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{'s'}, 32))

const body = `{"status":"completed","output":"é \u2028"}`

// message returns a message as callback makes it.
func message(t *testing.T, at time.Time) outbound.Message {
	t.Helper()
	signer, err := webhook.NewSigner([]string{secret})
	if err != nil {
		t.Fatal(err)
	}
	m := outbound.Message{
		ID: "m-completed-1", Subject: "m", Data: []byte(body), Webhook: http.Header{},
		Attributes: map[string]string{
			"specversion": "1.0", "id": "m-completed-1", "source": "/baton/infer", "type": "dev.baton.inference.completed.v1",
			"subject": "m", "model": "é model",
		},
	}
	if err := signer.Sign(m.Webhook, m.ID, at, m.Data); err != nil {
		t.Fatal(err)
	}
	return m
}

func setup(t *testing.T) (*natsout.Publisher, *nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc := natstest.Connect(t, natstest.Start(t, false))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return natsout.New(js), nc, js
}

func TestAStreamStoresAResultOnceThoughItIsSentTwice(t *testing.T) {
	t.Parallel()
	p, _, js := setup(t)
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "R", Subjects: []string{"results.>"}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for range 2 {
		if err := p.Deliver(t.Context(), "results.search", message(t, now)); err != nil {
			t.Fatal(err)
		}
	}
	info, err := stream.Info(t.Context())
	if err != nil || info.State.Msgs != 1 {
		t.Fatalf("%d messages, %v", info.State.Msgs, err)
	}
	got, err := stream.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	headers := http.Header{}
	for name, values := range got.Header {
		headers.Set(name, values[0])
	}
	verifier, err := webhook.NewVerifier([]string{secret})
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(headers, got.Data, now); err != nil {
		t.Error(err)
	}
	msg := &nats.Msg{Subject: got.Subject, Header: got.Header, Data: got.Data}
	ce, err := binding.ToEvent(t.Context(), cejetstream.NewMessage(msg))
	if err != nil {
		t.Fatal(err)
	}
	if ce.ID() != "m-completed-1" || ce.Subject() != "m" || ce.DataContentType() != "application/json" || string(ce.Data()) != body {
		t.Errorf("the official SDK reads %v", ce)
	}
	if got.Header.Get("ce-model") != "%C3%A9%20model" {
		t.Errorf("ce-model is %q", got.Header.Get("ce-model"))
	}
}

func TestASubjectThatNoStreamCapturesIsAFailure(t *testing.T) {
	t.Parallel()
	p, nc, js := setup(t)
	sub, err := nc.SubscribeSync("results.search") // listening is not storing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := p.Deliver(ctx, "results.search", message(t, time.Now())); err == nil {
		t.Error("a message that only a subscriber got is taken for stored")
	}
	if err := sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	if err := p.Deliver(t.Context(), "results.search", message(t, time.Now())); err == nil || err.Error() != "no stream captures the subject" {
		t.Errorf("got %v", err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "R", Subjects: []string{"results.>"}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Deliver(t.Context(), "results.search", message(t, time.Now())); err != nil {
		t.Errorf("not delivered when the stream is there: %v", err)
	}
}

func TestWhatCannotBeDeliveredSaysSo(t *testing.T) {
	t.Parallel()
	p, nc, _ := setup(t)
	m := message(t, time.Now())
	for _, subject := range []string{"baton.schedule.high", "$JS.API.STREAM.LIST", "_INBOX.a", "a b", ""} {
		if err := p.Deliver(t.Context(), subject, m); !errors.Is(err, outbound.ErrRefused) {
			t.Errorf("%s: %v", subject, err)
		}
	}
	m.Data = []byte(strings.Repeat("x", int(nc.MaxPayload())))
	if err := p.Deliver(t.Context(), "results", m); !errors.Is(err, outbound.ErrTooLarge) {
		t.Error(err)
	}
	nc.Close()
	if err := p.Deliver(t.Context(), "results", message(t, time.Now())); err == nil || strings.Contains(err.Error(), "é") {
		t.Error(err)
	}
}
