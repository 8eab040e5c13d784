package natsintake_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/intake"
	"baton.dev/baton/internal/intake/intaketest"
	"baton.dev/baton/internal/intake/natsintake"
	"baton.dev/baton/internal/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func setup(t *testing.T) (intaketest.Harness, jetstream.JetStream) {
	t.Helper()
	nc := natstest.Connect(t, natstest.Start(t, false))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	// A sender may come before the first process does: the stream is then its deployment's to make.
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: natsintake.Stream, Subjects: []string{natsintake.Prefix + "*"}, Retention: jetstream.WorkQueuePolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
	return intaketest.Harness{
		Kind: func(*testing.T, func() *catalog.Catalog) intake.Kind {
			return natsintake.New(js, natsintake.Options{Lease: 2 * time.Second})
		},
		Send: func(t *testing.T, tenant string, m intaketest.Message) {
			t.Helper()
			msg := &nats.Msg{Subject: natsintake.Prefix + tenant, Header: nats.Header{}, Data: []byte(m.Data)}
			if m.ContentType != "" {
				msg.Header["Content-Type"] = []string{m.ContentType}
			}
			for name, value := range m.Attributes {
				msg.Header["ce-"+name] = []string{events.EncodeHeader(value)}
			}
			if _, err := js.PublishMsg(t.Context(), msg); err != nil {
				t.Fatal(err)
			}
		},
		Left: func(t *testing.T, tenant string) int {
			t.Helper()
			info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(natsintake.Prefix+tenant))
			if err != nil {
				t.Fatal(err)
			}
			return int(info.State.Subjects[natsintake.Prefix+tenant])
		},
		Open: func(_ *catalog.Catalog, t *catalog.Tenant) { t.Intake.NATS = true },
	}, js
}

func TestConformance(t *testing.T) {
	t.Parallel()
	intaketest.Run(t, func(t *testing.T) intaketest.Harness {
		t.Helper()
		h, _ := setup(t)
		return h
	})
}

func TestAMessageIsNamedByItsSender(t *testing.T) {
	t.Parallel()
	h, js := setup(t)
	cat := &catalog.Catalog{Tenants: map[string]*catalog.Tenant{"search": {Name: "search"}, "dotted.name": {Name: "dotted.name"}}}
	for _, tenant := range cat.Tenants {
		h.Open(cat, tenant)
	}
	kind := h.Kind(t, func() *catalog.Catalog { return cat })
	places := kind.Places(cat)
	if len(places) != 1 || places[0] != (intake.Place{Tenant: "search", Where: "baton.in.search"}) {
		t.Fatalf("places %v", places)
	}
	for _, id := range []string{"order-7", ""} {
		msg := &nats.Msg{Subject: "baton.in.search", Header: nats.Header{"traceparent": {"tp"}, "tracestate": {"ts"}}, Data: []byte("{}")}
		if id != "" {
			msg.Header.Set("Nats-Msg-Id", id)
		}
		if _, err := js.PublishMsg(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	source, err := kind.Open(t.Context(), places[0])
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var got []intake.Delivery
	err = source.Run(ctx, func(d intake.Delivery) {
		if got = append(got, d); len(got) == 2 {
			cancel()
		}
	})
	if err != nil || len(got) != 2 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	if got[0].ID != "nats id order-7" || !strings.HasPrefix(got[1].ID, "nats BATON_IN 2 ") || got[0].Number != 1 {
		t.Errorf("named %q and %q", got[0].ID, got[1].ID)
	}
	if a := got[0].Arrival; a.TraceParent != "tp" || a.TraceState != "ts" || a.Attributes != nil {
		t.Errorf("%+v", a)
	}
}

func TestAStreamThatSomebodyRemovedIsMadeAnew(t *testing.T) {
	t.Parallel()
	h, js := setup(t)
	kind := h.Kind(t, nil)
	at := intake.Place{Tenant: "search", Where: "baton.in.search"}
	if _, err := kind.Open(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), natsintake.Stream); err != nil {
		t.Fatal(err)
	}
	if _, err := kind.Open(t.Context(), at); err == nil {
		t.Error("opened a place of a stream that is not there")
	}
	if _, err := kind.Open(t.Context(), at); err != nil {
		t.Error(err)
	}
}

// lines is a log that hands each of its lines on.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default: // nobody reads any more
	}
	return len(p), nil
}

func TestWhatWaitsForATenantWithoutAnIntakeIsSaid(t *testing.T) {
	t.Parallel()
	h, js := setup(t)
	cat := &catalog.Catalog{Tenants: map[string]*catalog.Tenant{"search": {Name: "search"}, "orders": {Name: "orders"}}}
	h.Open(cat, cat.Tenants["search"])
	for _, tenant := range []string{"orders", "orders", "nobody"} {
		h.Send(t, tenant, intaketest.Message{Data: "{}"})
	}
	logged := make(lines, 64)
	taker := intake.New(intake.Config{
		Catalog: func() *catalog.Catalog { return cat }, Kinds: []intake.Kind{h.Kind(t, nil)}, Look: 10 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		taker.Run(ctx)
	}()
	for _, want := range []string{"tenant=nobody count=1", "tenant=orders count=2", "tenant=nobody count=1"} { // and again
		select {
		case line := <-logged:
			if !strings.Contains(line, "messages wait for a tenant that has no intake") || !strings.Contains(line, want) {
				t.Errorf("it says %s, want %s", line, want)
			}
		case <-ctx.Done():
			t.Fatal("nothing is said")
		}
	}
	cancel()
	<-ended
	if err := js.DeleteStream(t.Context(), natsintake.Stream); err != nil {
		t.Fatal(err)
	}
	if found, err := natsintake.New(js, natsintake.Options{}).Unseen(t.Context(), cat); err != nil || len(found) != 0 {
		t.Errorf("without a stream: %v, %v", found, err)
	}
}
