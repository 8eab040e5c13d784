package hop_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// push publishes n events and returns their deliveries, as something that pushes would hand them over.
func (r *rig) push(n int) []hop.Delivery {
	r.t.Helper()
	for i := range n {
		r.publish(requested(i))
	}
	var ds []hop.Delivery
	if err := r.bus.Receive(r.t.Context(), normal, n, func(d hop.Delivery) { ds = append(ds, d) }); err != nil || len(ds) != n {
		r.t.Fatalf("received %d of %d: %v", len(ds), n, err)
	}
	return ds
}

// waiting returns what the lane hands out before long.
func (r *rig) waiting() []events.Event {
	r.t.Helper()
	var got []events.Event
	if err := r.bus.Receive(r.t.Context(), normal, 100, func(d hop.Delivery) { got = append(got, d.Event) }); err != nil {
		r.t.Fatal(err)
	}
	return got
}

func (r *rig) processor(bus hop.Publisher, handler hop.Handler) *hop.Processor {
	r.t.Helper()
	p, err := hop.NewProcessor(hop.ProcessorConfig{
		Hop: events.Schedule, Handler: handler, Publisher: bus, Log: slog.New(slog.DiscardHandler),
		Observe: func(s hop.Settled) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.settled = append(r.settled, s)
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// within returns a context that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// whileItWorks returns a handler that takes so long, unless it is ended.
func whileItWorks(d time.Duration) hop.Handler {
	return func(ctx context.Context, _ events.Event) ([]events.Event, error) {
		select {
		case <-time.After(d):
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func kindsOf(settled []hop.Settled) []hop.Kind {
	var kinds []hop.Kind
	for _, s := range settled {
		kinds = append(kinds, s.Outcome.Kind)
	}
	return kinds
}

func TestABatchIsHandledAtOnceAndAnsweredInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		began := time.Now()
		p := r.processor(r.bus, func(_ context.Context, in events.Event) ([]events.Event, error) {
			<-time.After(time.Second)
			if in.ID == requested(1).ID {
				return nil, hop.Unavailable(errors.New("no store"))
			}
			return nil, nil
		})
		settled := p.Handle(within(t, time.Minute), hop.Batch{Deliveries: r.push(3)})
		if got := kindsOf(settled); !slices.Equal(got, []hop.Kind{hop.Done, hop.Return, hop.Done}) {
			t.Errorf("settled as %v", got)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("three of a second each took %v", took)
		}
		if left := r.waiting(); len(left) != 1 || left[0].ID != requested(1).ID || left[0].Tries != 0 {
			t.Errorf("left are %+v", left)
		}
		if len(r.kinds()) != 3 {
			t.Errorf("%d were observed", len(r.kinds()))
		}
	})
}

func TestABatchHandlesAtMostAsManyAtOnceAsItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var running, most atomic.Int64
		p := r.processor(r.bus, func(context.Context, events.Event) ([]events.Event, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			<-time.After(time.Second)
			return nil, nil
		})
		if got := kindsOf(p.Handle(t.Context(), hop.Batch{Deliveries: r.push(5), AtOnce: 2})); len(got) != 5 {
			t.Errorf("settled as %v", got)
		}
		if most.Load() != 2 {
			t.Errorf("%d ran at once", most.Load())
		}
	})
}

func TestWorkThatOutlivesItsBatchHasHadItsTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		began := time.Now()
		settled := r.processor(r.bus, whileItWorks(time.Hour)).Handle(within(t, 100*time.Second), hop.Batch{Deliveries: r.push(1)})
		if took := time.Since(began); took != 95*time.Second {
			t.Errorf("it was ended after %v, want 5s before the deadline", took)
		}
		if got := kindsOf(settled); !slices.Equal(got, []hop.Kind{hop.Retry}) {
			t.Errorf("settled as %v", got)
		}
		if left := r.waiting(); len(left) != 1 || left[0].Tries != 1 {
			t.Errorf("left are %+v", left)
		}
	})
}

func TestWhatDoesNotFitBeforeTheDeadlineIsGivenBackUntouched(t *testing.T) {
	for name, tc := range map[string]struct {
		deadline, room time.Duration
		want           []hop.Kind
	}{
		"no time left":       {deadline: 9900 * time.Millisecond, want: []hop.Kind{hop.Done, hop.Return}},
		"less than its room": {deadline: 15 * time.Second, room: 6 * time.Second, want: []hop.Kind{hop.Done, hop.Return}},
		"room enough":        {deadline: 25 * time.Second, room: 6 * time.Second, want: []hop.Kind{hop.Done, hop.Done}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				p := r.processor(r.bus, func(context.Context, events.Event) ([]events.Event, error) {
					<-time.After(9 * time.Second)
					return nil, nil
				})
				settled := p.Handle(within(t, tc.deadline), hop.Batch{Deliveries: r.push(2), AtOnce: 1, Room: tc.room})
				if got := kindsOf(settled); !slices.Equal(got, tc.want) {
					t.Fatalf("settled as %v, want %v", got, tc.want)
				}
				if left := r.waiting(); len(left) == 1 && left[0].Tries != 0 {
					t.Errorf("left are %+v", left)
				}
			})
		})
	}
}

func TestTheFirstOfABatchBeginHoweverMuchTheyNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		p := r.processor(r.bus, whileItWorks(time.Second))
		settled := p.Handle(within(t, 10*time.Second), hop.Batch{Deliveries: r.push(2), Room: time.Hour})
		if got := kindsOf(settled); !slices.Equal(got, []hop.Kind{hop.Done, hop.Done}) {
			t.Errorf("settled as %v", got)
		}
	})
}

// living is a settler that does nothing once its context has ended, as one that asks a broker does.
type living struct{ hop.Settler }

func (l living) Return(ctx context.Context, delay time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.Settler.Return(ctx, delay)
}

func TestACanceledBatchIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		ds := r.push(2)
		for i := range ds {
			ds[i].Settler = living{ds[i].Settler}
		}
		begun := 0
		p := r.processor(r.bus, func(ctx context.Context, in events.Event) ([]events.Event, error) {
			begun++
			return whileItWorks(5*time.Second)(ctx, in)
		})
		settled := p.Handle(ctx, hop.Batch{Deliveries: ds, AtOnce: 1})
		if got := kindsOf(settled); !slices.Equal(got, []hop.Kind{hop.Return, hop.Return}) || begun != 1 {
			t.Errorf("settled as %v, %d begun", got, begun)
		}
		if left := r.waiting(); len(left) != 2 || left[0].Tries != 0 || left[1].Tries != 0 {
			t.Errorf("left are %+v", left)
		}
		if took := time.Since(settled[0].Began); took > 2*time.Second {
			t.Errorf("they came back after %v: by the end of their leases", took)
		}
	})
}

func TestABatchStoresOutputBeforeItAcknowledges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var steps []string
		bus := recorder{r.bus, &steps}
		p := r.processor(bus, func(_ context.Context, in events.Event) ([]events.Event, error) {
			return []events.Event{in.Next(events.Schedule, events.Failed, 0, now)}, nil
		})
		r.publish(requested(1))
		if err := bus.Receive(t.Context(), normal, 1, func(d hop.Delivery) {
			p.Handle(t.Context(), hop.Batch{Deliveries: []hop.Delivery{d}})
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(steps, []string{"stored", "acknowledged"}) {
			t.Errorf("the steps were %v", steps)
		}
	})
}

// Throttled messages are received again and again and never tried: only a try counts.
func TestDeliveriesAreNotTries(t *testing.T) {
	for number, want := range map[int]hop.Kind{7: hop.Done, 50: hop.Done, 51: hop.Dead} {
		r := newRig(t)
		ds := r.push(1)
		ds[0].Number = number
		settled := r.processor(r.bus, whileItWorks(0)).Handle(t.Context(), hop.Batch{Deliveries: ds})
		if got := settled[0].Outcome.Kind; got != want {
			t.Errorf("delivery %d was settled as %s, want %s", number, got, want)
		}
	}
}
