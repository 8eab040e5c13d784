package bustest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// idleReceiveEnds checks that whoever serves a lane learns that it has nothing, and that a receive which has ended takes
// nothing that is stored after it.
func idleReceiveEnds(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	e := requested(1, events.Normal)
	ctx := soon(t)
	for range 2 {
		if err := b.Receive(ctx, laneOf(t, e), 4, func(d hop.Delivery) { t.Errorf("received %s", d.Event.ID) }); err != nil {
			t.Fatalf("receive: %v", err)
		}
		if ctx.Err() != nil {
			t.Fatal("the receive of an idle lane does not end")
		}
	}
	publish(t, b, e)
	d := receive(t, b, laneOf(t, e), 1)[0]
	if d.Event.ID != e.ID || d.Number > 1 {
		t.Errorf("received %s as delivery %d, want the first of %s", d.Event.ID, d.Number, e.ID)
	}
	ack(t, d)
}

func delayHonoured(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	due := time.Now().Add(700 * time.Millisecond)
	late := map[string]bool{}
	for n := range 3 {
		e := requested(n, events.Normal)
		e.NotBefore = due
		late[e.ID] = true
		publish(t, b, e)
	}
	marker := requested(4, events.Normal)
	publish(t, b, marker)
	for range 4 { // the marker, and each of the others in its time
		d := receive(t, b, laneOf(t, marker), 1)[0]
		if early := time.Until(due); late[d.Event.ID] && early > 0 {
			t.Errorf("received %v too early", early)
		}
		if !late[d.Event.ID] && d.Event.ID != marker.ID {
			t.Errorf("received %s, which is another or came twice", d.Event.ID)
		}
		delete(late, d.Event.ID)
		ack(t, d)
	}
}

func returnHonoured(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	e := requested(1, events.Normal)
	publish(t, b, e)
	d := receive(t, b, laneOf(t, e), 1)[0]
	due := time.Now().Add(300 * time.Millisecond)
	if err := d.Return(soon(t), 300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	d = receive(t, b, laneOf(t, e), 1)[0]
	if early := time.Until(due); early > 0 {
		t.Errorf("received %v too early", early)
	}
	if d.Number == 1 {
		t.Errorf("the second delivery says it is the first")
	}
	ack(t, d)
}

func repeatedAfterCrash(t *testing.T, h Harness) {
	b, again := h.Open(t)
	e := requested(1, events.Normal)
	publish(t, b, e)
	receive(t, b, laneOf(t, e), 1) // and never settle it: the process is gone
	b = again()
	d := receive(t, b, laneOf(t, e), 1)[0]
	if d.Event.ID != e.ID {
		t.Errorf("received %s, want %s again", d.Event.ID, e.ID)
	}
	ack(t, d)
	nothingElse(t, h, b, requested(2, events.Normal))
}

// faulty is a transport that fails at chosen places.
type faulty struct {
	hop.Bus
	publish func(context.Context, ...events.Event) error // nil: the real one
	ack     func() error                                 // nil: the real one
	taken   func(events.Lane)
}

func (f faulty) Publish(ctx context.Context, out ...events.Event) error {
	if f.publish != nil {
		return f.publish(ctx, out...)
	}
	return f.Bus.Publish(ctx, out...)
}

func (f faulty) Receive(ctx context.Context, lane events.Lane, limit int, take func(hop.Delivery)) error {
	return f.Bus.Receive(ctx, lane, limit, func(d hop.Delivery) {
		if f.ack != nil {
			d.Settler = faultySettler{d.Settler, f.ack}
		}
		if f.taken != nil {
			f.taken(lane)
		}
		take(d)
	})
}

type faultySettler struct {
	hop.Settler
	ack func() error
}

func (s faultySettler) Ack(context.Context) error { return s.ack() }

var errCrash = errors.New("bustest: the process is gone")

func outputBeforeAck(t *testing.T, h Harness) {
	b, again := h.Open(t)
	e := requested(1, events.Normal)
	publish(t, b, e)
	// The first process dies between storing the output and acknowledging the input.
	first := work(t, faulty{Bus: b, ack: func() error { return errCrash }}, scheduled, nil)
	first.await(t, hop.Done)
	first.stop()
	second := work(t, again(), scheduled, nil)
	if s := second.await(t, hop.Done); s.In.ID != e.ID {
		t.Fatalf("handled %s, want %s again", s.In.ID, e.ID)
	}
	second.stop()

	copies := 2 // one of each process
	if h.Deduplicates {
		copies = 1
	}
	want, _ := scheduled(t.Context(), e)
	for _, d := range receive(t, b, inferLane, copies) {
		if !reflect.DeepEqual(d.Event, want[0]) {
			t.Errorf("received\n%+v, want\n%+v", d.Event, want[0])
		}
		ack(t, d)
	}
	marker, _ := scheduled(t.Context(), requested(2, events.Normal))
	nothingElse(t, h, b, marker[0])
}

func inputKeptWithoutOutput(t *testing.T, h Harness) {
	b, again := h.Open(t)
	e := requested(1, events.Normal)
	publish(t, b, e)
	// The transport of the first process stores nothing. While it lives it keeps what it has done.
	var calls, stores atomic.Int32
	handler := func(ctx context.Context, in events.Event) ([]events.Event, error) {
		calls.Add(1)
		return scheduled(ctx, in)
	}
	tried := make(chan struct{})
	first := work(t, faulty{Bus: b, publish: func(context.Context, ...events.Event) error {
		if stores.Add(1) == 3 {
			close(tried)
		}
		return errCrash
	}}, handler, func(c *hop.Config) { c.Grace = 10 * time.Millisecond })
	select {
	case <-tried:
	case <-soon(t).Done():
		t.Fatal("an output that could not be stored is not tried again")
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("the event was handled %d times, want once", n)
	}
	first.stop()
	first.await(t, hop.Return)
	second := work(t, again(), handler, nil)
	if s := second.await(t, hop.Done); s.In.Tries != 0 {
		t.Errorf("the event counts %d tries, want none: the transport failed, not the hop", s.In.Tries)
	}
	second.stop()
	ack(t, receive(t, b, inferLane, 1)...)
}

func longWorkKept(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	publish(t, b, requested(1, events.Normal))
	var calls atomic.Int32
	w := work(t, b, func(ctx context.Context, in events.Event) ([]events.Event, error) {
		calls.Add(1)
		select {
		case <-time.After(2*h.Lease + h.Lease/2):
			return scheduled(ctx, in)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}, nil)
	w.await(t, hop.Done)
	w.stop()
	if n := calls.Load(); n != 1 {
		t.Errorf("the event was handled %d times, want once", n)
	}
	nothingElse(t, h, b, requested(2, events.Normal))
}

func waitingWorkKept(t *testing.T, h Harness) {
	b, again := h.Open(t)
	publish(t, b, requested(1, events.Normal), requested(2, events.Normal))
	// One is at work for longer than a lease, and the other waits in the process meanwhile.
	var mu sync.Mutex
	calls := map[string]int{}
	slow := func(_ context.Context, in events.Event) ([]events.Event, error) {
		mu.Lock()
		calls[in.ID]++
		first := len(calls) == 1
		mu.Unlock()
		if first {
			<-time.After(2*h.Lease + h.Lease/2)
		}
		return nil, nil
	}
	var taken atomic.Int32
	held := make(chan struct{})
	f := faulty{Bus: b, taken: func(events.Lane) {
		if taken.Add(1) == 2 {
			close(held)
		}
	}}
	first := work(t, f, slow, func(c *hop.Config) { c.Concurrency, c.Prefetch = 1, 2 })
	<-held
	other := work(t, again(), slow, nil) // takes what the first lets slip
	first.await(t, hop.Done)
	first.await(t, hop.Done)
	first.stop()
	other.stop()
	for id, n := range calls {
		if n != 1 {
			t.Errorf("%s was handled %d times, want once", id, n)
		}
	}
}

func triesCounted(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	e := requested(1, events.Normal)
	publish(t, b, e)
	w := work(t, b, func(ctx context.Context, in events.Event) ([]events.Event, error) {
		if in.Tries < 2 {
			return nil, errors.New("not yet")
		}
		return scheduled(ctx, in)
	}, nil)
	for want := range 2 {
		if s := w.await(t, hop.Retry); s.In.Tries != want {
			t.Errorf("try %d counts %d tries before it", want, s.In.Tries)
		}
	}
	if s := w.await(t, hop.Done); s.In.Tries != 2 || s.In.ID != e.ID {
		t.Errorf("done: %s with %d tries, want %s with 2", s.In.ID, s.In.Tries, e.ID)
	}
	w.stop()
	ack(t, receive(t, b, inferLane, 1)...)
	nothingElse(t, h, b, requested(2, events.Normal))
}

func shutdownGivesBack(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	const all = 6
	for n := range all {
		publish(t, b, requested(n, events.Normal))
	}
	// One is begun and the others wait in the process when it is told to stop.
	begun, release, drained := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var taken atomic.Int32
	held := make(chan struct{})
	f := faulty{Bus: b, taken: func(events.Lane) {
		if taken.Add(1) == all {
			close(held)
		}
	}}
	first := work(t, f, func(ctx context.Context, in events.Event) ([]events.Event, error) {
		close(begun) // a second call would panic, and show up as a retry
		<-release
		return scheduled(ctx, in)
	}, func(c *hop.Config) { c.Concurrency, c.Prefetch = 1, all })
	<-begun
	<-held
	go func() {
		first.stop()
		close(drained)
	}()
	// The others come back while the first is still at work.
	waiting := receive(t, b, events.Lane{Hop: events.Schedule, Priority: events.Normal}, all-1)
	ack(t, waiting...)
	close(release)
	<-drained
	first.await(t, hop.Done)
	ack(t, receive(t, b, inferLane, 1)...)
	nothingElse(t, h, b, requested(all, events.Normal))
}

func prioritiesShare(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	const each = 48
	for n := range each {
		publish(t, b, requested(3*n, events.Low), requested(3*n+1, events.Normal), requested(3*n+2, events.High))
	}
	// The handler holds the first event until every lane has its backlog in the process.
	var mu sync.Mutex
	taken := map[events.Priority]int{}
	full := make(chan struct{})
	f := faulty{Bus: b, taken: func(l events.Lane) {
		mu.Lock()
		defer mu.Unlock()
		taken[l.Priority]++
		if taken[events.High] == each && taken[events.Normal] == each && taken[events.Low] == each {
			close(full)
		}
	}}
	w := work(t, f, func(ctx context.Context, _ events.Event) ([]events.Event, error) {
		select {
		case <-full:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}, func(c *hop.Config) { c.Concurrency, c.Prefetch = 1, 2*each })
	w.await(t, hop.Done) // whichever came first
	got := map[events.Priority]int{}
	for range 48 { // four rounds of the weights 8, 3 and 1
		got[w.await(t, hop.Done).In.Priority]++
	}
	for p, want := range map[events.Priority]int{events.High: 32, events.Normal: 12, events.Low: 4} {
		if n := got[p]; n < want-2 || n > want+2 {
			t.Errorf("%s got %d of 48 turns, want %d or so", p, n, want)
		}
	}
	for range 3*each - 49 { // and whoever has work gets the turns that others leave
		w.await(t, hop.Done)
	}
}

func manyLoseNothing(t *testing.T, h Harness) {
	b, again := h.Open(t)
	const publishers, each = 8, 50
	var mu sync.Mutex
	seen := map[string]int{}
	count := func(_ context.Context, in events.Event) ([]events.Event, error) {
		mu.Lock()
		defer mu.Unlock()
		seen[in.ID]++
		return nil, nil
	}
	workers := []running{work(t, b, count, nil), work(t, again(), count, nil)}
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for n := range each {
				e := requested(p*each+n, events.Priorities()[n%3])
				if err := b.Publish(t.Context(), e); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		})
	}
	wg.Wait()
	settled := map[string]bool{}
	for patient := soon(t); len(settled) < publishers*each; {
		var s hop.Settled
		select {
		case s = <-workers[0].settled:
		case s = <-workers[1].settled:
		case <-patient.Done():
			t.Fatalf("%d of %d events were handled", len(settled), publishers*each)
		}
		settled[s.In.ID] = true
	}
	for _, w := range workers {
		w.stop()
	}
	for id, n := range seen {
		if n != 1 && h.AckIsFinal {
			t.Errorf("%s was handled %d times", id, n)
		}
	}
}
