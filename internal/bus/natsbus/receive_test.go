package natsbus_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/natstest"
)

// shortly opens the transport with the shortest wait that the server allows.
func shortly(t *testing.T, s *server.Server) *natsbus.Bus {
	t.Helper()
	b, err := natsbus.New(t.Context(), natstest.Connect(t, s), natsbus.Options{Wait: time.Second, Lease: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// own returns an event that waits apart, and its lane.
func own(t *testing.T, tenant string, n int) (events.Event, events.Lane) {
	t.Helper()
	at := time.Now()
	r := events.Request{RequestID: fmt.Sprintf("%s-%d", tenant, n), ModelID: "m"}
	e := events.New(tenant, r, events.Normal, []byte("{}"), at, at.Add(time.Hour)).Next(events.Schedule, events.Scheduled, 1, at)
	e.Target, e.Apart = "t", true
	lane, err := e.Lane()
	if err != nil {
		t.Fatal(err)
	}
	return e, lane
}

const patience = time.Minute

func TestWhatComesAsAWaitEndsIsNotLeftToItsLease(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, false)
	b := shortly(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var lanes sync.WaitGroup
	for n := range 50 {
		e, lane := own(t, fmt.Sprintf("tenant-%d", n), 0)
		lanes.Go(func() {
			time.AfterFunc(950*time.Millisecond+time.Duration(rand.Int64N(int64(100*time.Millisecond))), func() {
				if err := b.Publish(ctx, e); err != nil {
					t.Errorf("publish: %v", err)
				}
			})
			came := false
			for !came && ctx.Err() == nil {
				if err := b.Receive(ctx, lane, 4, func(d hop.Delivery) {
					came = true // at once, or again at once: a lease lasts an hour
					_ = d.Ack(ctx)
				}); err != nil {
					t.Errorf("receive: %v", err)
				}
			}
			if !came {
				t.Errorf("%s was left to its lease", e.ID)
			}
		})
	}
	lanes.Wait()
}

func TestWhatIsSentIsHandedOutThoughTheWaitIsOver(t *testing.T) {
	t.Parallel()
	b := shortly(t, natstest.Start(t, false))
	const all = 4
	var lane events.Lane
	for n := range all {
		var e events.Event
		e, lane = own(t, "acme", n)
		if err := b.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	came := 0
	for came < all && ctx.Err() == nil {
		if err := b.Receive(ctx, lane, all, func(d hop.Delivery) {
			came++
			if came == 1 {
				<-time.After(1500 * time.Millisecond) // the others are in this process meanwhile
			}
			_ = d.Ack(ctx)
		}); err != nil {
			t.Fatal(err)
		}
	}
	if came < all {
		t.Errorf("%d of %d came, and the others were left to their leases", came, all)
	}
}

func TestATenantsConsumerThatTheServerForgotIsMadeAnew(t *testing.T) {
	t.Parallel()
	b := shortly(t, natstest.Start(t, false))
	first, lane := own(t, "acme", 0)
	if err := b.Receive(t.Context(), lane, 1, func(hop.Delivery) {}); err != nil {
		t.Fatal(err)
	}
	stream, err := b.JetStream().Stream(t.Context(), "BATON_INFER")
	if err != nil {
		t.Fatal(err)
	}
	for name := range stream.ConsumerNames(t.Context()).Name() {
		if err := stream.DeleteConsumer(t.Context(), name); err != nil { // as it does after its time
			t.Fatal(err)
		}
	}
	if err := b.Publish(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	came := 0
	err = b.Receive(t.Context(), lane, 1, func(d hop.Delivery) {
		came++
		_ = d.Ack(t.Context())
	})
	if err != nil || came != 1 {
		t.Errorf("received %d, %v; want the tenant served at once", came, err)
	}
}

func TestTenantsLanesAreLetGoWhenNothingIsInThem(t *testing.T) {
	t.Parallel()
	b := shortly(t, natstest.Start(t, false))
	const tenants = 5
	handled := make(chan string, tenants)
	w, err := hop.NewWorker(hop.Config{
		Hop: events.Infer, Bus: b, Log: slog.New(slog.DiscardHandler),
		Lanes: []hop.Lane{{Lane: events.Lane{Hop: events.Infer, Priority: events.High, Target: "t"}}},
		Handler: func(_ context.Context, in events.Event) ([]events.Event, error) {
			handled <- in.Tenant
			return nil, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	defer running.Wait()
	defer cancel()
	for n := range tenants {
		e, lane := own(t, fmt.Sprintf("tenant-%d", n), n)
		if err := b.Publish(ctx, e); err != nil {
			t.Fatal(err)
		}
		w.Serve(hop.Lane{Lane: lane, Passing: true})
	}
	for range tenants {
		<-handled
	}
	stream, err := b.JetStream().Stream(ctx, "BATON_INFER")
	if err != nil {
		t.Fatal(err)
	}
	pulled := func() (n int) {
		for c := range stream.ListConsumers(ctx).Info() {
			if c.Config.InactiveThreshold > 0 {
				n += c.NumWaiting
			}
		}
		return n
	}
	for end := time.Now().Add(patience); pulled() > 0; <-time.After(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d lanes are still asked", pulled())
		}
	}
}

func TestALaneIsNotIdleWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, false)
	b := shortly(t, s)
	lane := events.Lane{Hop: events.Schedule, Priority: events.Normal}
	if err := b.Receive(t.Context(), lane, 1, func(hop.Delivery) {}); err != nil {
		t.Fatal(err)
	}
	s.Shutdown()
	if err := b.Receive(t.Context(), lane, 1, func(hop.Delivery) {}); err == nil {
		t.Error("nothing came, and nothing is said about it")
	}
}

// BenchmarkReceive receives and settles the deliveries of a lane with a backlog, as many at a time as a worker asks for.
func BenchmarkReceive(b *testing.B) {
	for _, limit := range []int{4, 64} {
		b.Run(fmt.Sprintf("limit=%d", limit), func(b *testing.B) {
			bus, err := natsbus.New(b.Context(), natstest.Connect(b, natstest.Start(b, false)), natsbus.Options{})
			if err != nil {
				b.Fatal(err)
			}
			at := time.Now()
			for n := range b.N {
				r := events.Request{RequestID: fmt.Sprintf("request-%d", n), ModelID: "m"}
				e := events.New("tenant", r, events.Normal, []byte("{}"), at, at.Add(time.Hour))
				if err := bus.Publish(b.Context(), e); err != nil {
					b.Fatal(err)
				}
			}
			lane := events.Lane{Hop: events.Schedule, Priority: events.Normal}
			b.ResetTimer()
			for got := 0; got < b.N; {
				if err := bus.Receive(b.Context(), lane, min(limit, b.N-got), func(d hop.Delivery) {
					got++
					_ = d.Ack(b.Context())
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestWhatIsLargeIsHandedOutAFewAtATime has a server that takes large messages, and 24 of them, of 4 MiB.
func TestWhatIsLargeIsHandedOutAFewAtATime(t *testing.T) {
	t.Parallel()
	s := natstest.StartOptions(t, &server.Options{
		JetStream: true, StoreDir: t.TempDir(), DontListen: true, NoSigs: true, NoLog: true, MaxPayload: 8 << 20,
	})
	b := shortly(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const all = 24
	for n := range all {
		e := requested(n)
		e.Data = make([]byte, 4<<20)
		if err := b.Publish(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	came := map[string]bool{}
	for len(came) < all && ctx.Err() == nil {
		before := len(came)
		if err := b.Receive(ctx, normalLane, 64, func(d hop.Delivery) {
			came[d.Event.ID] = true // once: a lease lasts an hour
			_ = d.Ack(ctx)
		}); err != nil {
			t.Fatal(err)
		}
		if got := len(came) - before; got > 8 {
			t.Errorf("%d were handed out at once", got)
		}
	}
	if len(came) != all {
		t.Errorf("%d of %d were handed out", len(came), all)
	}
}
