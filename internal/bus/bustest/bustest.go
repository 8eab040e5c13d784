// Package bustest is the conformance suite of transports: what any of them promises to the chain, a case for each promise.
//
// A transport's test is a [Harness] and a call of [Run]. The cases run the real [hop.Worker] over the real transport; a
// fault is a decorator around it that fails at one place.
//
// What some brokers promise and others cannot is a named field of [Capabilities]. A transport that lacks one still runs
// every case: the case then checks what is promised instead, which the field's comment says.
package bustest

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// Transport is what is tested: a bus, and the dead letters that it keeps.
type Transport interface {
	hop.Bus
	hop.DeadLetters
}

// Harness makes transports for the suite.
type Harness struct {
	// Virtual runs each case in virtual time ([synctest]): for a transport that is of this process alone.
	Virtual bool
	// Lease of a delivery, as the transports are made: long enough that a slow machine keeps it, and short enough to wait for.
	Lease time.Duration
	// MaxData is the size of an event's data that is certainly stored, and OverData one that is certainly refused.
	MaxData, OverData int
	// Texted says that the transport carries attributes as text, so that a bool or an int32 extension comes back as its
	// canonical text.
	Texted bool
	// Capabilities are what the transport promises beyond what every one must.
	Capabilities
	// Depths returns how many events of each lane are not settled, where the transport can tell; nil: it cannot. Of infer's
	// lanes it counts those of the target t.
	Depths func(context.Context, Transport) (map[events.Lane]int, error)
	// Open opens a new and empty transport, closed by the test's clean-up, and a function that opens the same one again as
	// another process would.
	Open func(t *testing.T) (Transport, func() Transport)
}

// Capabilities are promises that depend on the broker. The zero value is a broker that makes none of them.
type Capabilities struct {
	// Ordered: a lane hands out first what was stored first, but for what was delayed or given back. Instead: in any order.
	Ordered bool
	// Deduplicates: an event that is stored again under the same storage id is handed out once. Instead: every copy is
	// handed out, and all are the same event with the same id.
	Deduplicates bool
	// AckIsFinal: an acknowledged delivery never comes again. Instead: it does on rare occasions, as the same event.
	AckIsFinal bool
	// Apart: an event that waits apart has a lane of its tenant's own. Instead: it is in the lane of its target.
	Apart bool
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	cases := []struct {
		promise string
		check   func(*testing.T, Harness)
	}{
		{"an event arrives as it was stored", arrivesAsStored},
		{"attributes of every CloudEvents type survive", attributesSurvive},
		{"bodies of any size up to the limit survive", bodiesSurvive},
		{"an event over the limit is refused and not stored", overLimitRefused},
		{"a duplicate id is stored once, or arrives as the same event", duplicateRecognised},
		{"an idle lane's receive ends after its wait", idleReceiveEnds},
		{"a delay is honoured", delayHonoured},
		{"an event given back with a delay comes again after it", returnHonoured},
		{"a delivery is repeated after a crash", repeatedAfterCrash},
		{"output is stored before input is acknowledged", outputBeforeAck},
		{"input is kept when output cannot be stored", inputKeptWithoutOutput},
		{"long work is not repeated while its lease is renewed", longWorkKept},
		{"work that waits in a process is not repeated while its lease is renewed", waitingWorkKept},
		{"tries are counted in the event", triesCounted},
		{"a refused event is a dead letter with its reason", refusedIsDead},
		{"an event is a dead letter after its last try", exhaustedIsDead},
		{"a message that takes its process down is a dead letter", crashLoopIsDead},
		{"a dead letter that is redriven keeps its id", redriveKeepsID},
		{"work that is begun survives a shutdown, and other work is given back", shutdownGivesBack},
		{"what waits apart is received apart, or with the rest", apartIsReached},
		{"what is not settled is counted by lane", depthsCounted},
		{"what waits for a time is counted with its hop", depthsCountWhatWaitsForATime},
		{"priorities share by weight under backlog and low is not starved", prioritiesShare},
		{"nothing is lost between many publishers and workers, and nothing repeated that was acknowledged", manyLoseNothing},
	}
	for _, c := range cases {
		t.Run(c.promise, func(t *testing.T) {
			t.Parallel()
			if h.Virtual {
				synctest.Test(t, func(t *testing.T) { c.check(t, h) })
				return
			}
			c.check(t, h)
		})
	}
}

// patience bounds every wait of the suite. Nothing depends on how much of it passes.
const patience = 60 * time.Second

// soon returns a context that ends with the test's patience.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// requested returns the n-th request event of the suite.
func requested(n int, p events.Priority) events.Event {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	r := events.Request{RequestID: fmt.Sprintf("request-%d", n), ModelID: "m"}
	return events.New("tenant", r, p, fmt.Appendf(nil, `{"n":%d}`, n), at, at.Add(time.Hour))
}

// publish stores events or fails the test.
func publish(t *testing.T, b hop.Publisher, out ...events.Event) {
	t.Helper()
	if err := b.Publish(soon(t), out...); err != nil {
		t.Fatalf("publish: %v", err)
	}
}

// receive returns the next n deliveries of the lane, waiting for them.
func receive(t *testing.T, b hop.Source, lane events.Lane, n int) []hop.Delivery {
	t.Helper()
	ctx := soon(t)
	var got []hop.Delivery
	for len(got) < n {
		if err := b.Receive(ctx, lane, n-len(got), func(d hop.Delivery) { got = append(got, d) }); err != nil {
			t.Fatalf("receive: %v", err)
		}
		if ctx.Err() != nil {
			t.Fatalf("received %d of %d events", len(got), n)
		}
	}
	return got
}

// ack settles deliveries for good.
func ack(t *testing.T, ds ...hop.Delivery) {
	t.Helper()
	for _, d := range ds {
		if err := d.Ack(soon(t)); err != nil {
			t.Fatalf("ack: %v", err)
		}
	}
}

// nothingElse checks that the lane has nothing but the marker, which it publishes. In an ordered lane a marker that comes
// first proves it without waiting. Without order, whatever could still come is given the time to: a lease, if someone holds
// it, and a second for a delay that the transport rounds up.
func nothingElse(t *testing.T, h Harness, b hop.Bus, marker events.Event) {
	t.Helper()
	publish(t, b, marker)
	lane := laneOf(t, marker)
	d := receive(t, b, lane, 1)[0]
	if d.Event.ID != marker.ID {
		t.Fatalf("received %s, want nothing but %s", d.Event.ID, marker.ID)
	}
	ack(t, d)
	if h.Ordered {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), h.Lease+time.Second)
	defer cancel()
	for ctx.Err() == nil {
		err := b.Receive(ctx, lane, 10, func(d hop.Delivery) {
			t.Errorf("received %s, delivery %d, want nothing but %s", d.Event.ID, d.Number, marker.ID)
		})
		if err != nil {
			t.Fatalf("receive: %v", err)
		}
	}
}

func laneOf(t *testing.T, e events.Event) events.Lane {
	t.Helper()
	lane, err := e.Lane()
	if err != nil {
		t.Fatal(err)
	}
	return lane
}

// deadLetters returns all of them.
func deadLetters(t *testing.T, b hop.DeadLetters) []hop.DeadLetter {
	t.Helper()
	var all []hop.DeadLetter
	for d, err := range b.DeadLetters(soon(t)) {
		if err != nil {
			t.Fatalf("dead letters: %v", err)
		}
		all = append(all, d)
	}
	return all
}

// running is a worker that runs until stop.
type running struct {
	settled chan hop.Settled
	stop    func()
}

// work runs a worker of the schedule hop over the lanes of all priorities, until the test ends or stop is called.
func work(t *testing.T, b hop.Bus, handler hop.Handler, change func(*hop.Config)) running {
	t.Helper()
	r := running{settled: make(chan hop.Settled, 4096)}
	cfg := hop.Config{
		Hop: events.Schedule, Handler: handler, Bus: b, Log: slog.New(slog.DiscardHandler), Concurrency: 4,
		Limits: hop.Limits{Backoff: hop.Backoff{Base: 10 * time.Millisecond}},
		Lanes: []hop.Lane{
			{Lane: events.Lane{Hop: events.Schedule, Priority: events.High}, Weight: 8},
			{Lane: events.Lane{Hop: events.Schedule, Priority: events.Normal}, Weight: 3},
			{Lane: events.Lane{Hop: events.Schedule, Priority: events.Low}, Weight: 1},
		},
		Observe: func(s hop.Settled) { r.settled <- s },
	}
	if change != nil {
		change(&cfg)
	}
	w, err := hop.NewWorker(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	r.stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(r.stop)
	return r
}

// await returns the next settled delivery with the kind.
func (r running) await(t *testing.T, kind hop.Kind) hop.Settled {
	t.Helper()
	ctx := soon(t)
	for {
		select {
		case s := <-r.settled:
			if s.Outcome.Kind == kind {
				return s
			}
		case <-ctx.Done():
			t.Fatalf("nothing settled as %s", kind)
		}
	}
}

// scheduled is a handler that emits what schedule does.
func scheduled(_ context.Context, in events.Event) ([]events.Event, error) {
	out := in.Next(events.Schedule, events.Scheduled, 1, in.Time)
	out.Target = "t"
	return []events.Event{out}, nil
}

var inferLane = events.Lane{Hop: events.Infer, Priority: events.Normal, Target: "t"}
