package hop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// outage is a transport that stores nothing until a time.
type outage struct {
	hop.Bus
	until time.Time
	hangs bool  // until its caller gives up
	err   error // nil: errFull
}

func (o outage) Publish(ctx context.Context, out ...events.Event) error {
	if time.Now().After(o.until) {
		return o.Bus.Publish(ctx, out...)
	}
	if o.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if o.err != nil {
		return o.err
	}
	return errFull
}

// paid is a handler that counts its calls, each of which is paid for.
func paid(calls *atomic.Int32) hop.Handler {
	return func(_ context.Context, in events.Event) ([]events.Event, error) {
		calls.Add(1)
		return []events.Event{in.Next(events.Schedule, events.Failed, 0, now)}, nil
	}
}

func TestAnOutputIsKeptThroughAnOutage(t *testing.T) {
	for name, hangs := range map[string]bool{"that answers": false, "that does not answer": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				var calls atomic.Int32
				stop := r.start(outage{Bus: r.bus, until: time.Now().Add(10 * time.Minute), hangs: hangs}, paid(&calls), nil)
				r.publish(requested(1))
				<-time.After(10*time.Minute - time.Second)
				if n := calls.Load(); n != 1 || len(r.kinds()) != 0 {
					t.Errorf("in the outage: %d calls, settled as %v", n, r.kinds())
				}
				<-time.After(15 * time.Second)
				if got := r.kinds(); !slices.Equal(got, []hop.Kind{hop.Done}) || calls.Load() != 1 {
					t.Errorf("settled as %v after %d calls", got, calls.Load())
				}
				stop()
				if depths, _ := r.bus.Depths(t.Context()); len(depths) != 1 || depths[normal] != 0 {
					t.Errorf("unsettled are %v, want the output alone", depths)
				}
			})
		})
	}
}

func TestAnOutputIsKeptNoLongerThanItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var calls atomic.Int32
		stop := r.start(deaf{outage{Bus: r.bus, until: time.Now().Add(15 * time.Second)}}, paid(&calls), nil)
		r.publish(requested(1))
		<-time.After(12 * time.Second)
		if got := r.kinds(); !slices.Equal(got, []hop.Kind{hop.Return}) {
			t.Fatalf("with its lease lost, settled as %v", got)
		}
		if calls.Load() != 2 {
			t.Errorf("the handler was called %d times: who has the lease goes on", calls.Load())
		}
		<-time.After(10 * time.Second)
		stop()
		if got := r.kinds(); !slices.Equal(got, []hop.Kind{hop.Return, hop.Done}) {
			t.Errorf("settled as %v", got)
		}
	})
}

func TestADrainGivesBackWhatCannotBeStored(t *testing.T) {
	for name, hangs := range map[string]bool{"of a transport that answers": false, "of one that does not": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				var calls atomic.Int32
				bus := outage{Bus: r.bus, until: time.Now().Add(time.Hour), hangs: hangs}
				stop := r.start(bus, paid(&calls), func(c *hop.Config) { c.Grace = 10 * time.Second })
				r.publish(requested(1))
				<-time.After(time.Minute)
				began := time.Now()
				stop()
				if took := time.Since(began); took != 10*time.Second {
					t.Errorf("the drain took %v, want its grace", took)
				}
				if got := r.kinds(); !slices.Equal(got, []hop.Kind{hop.Return}) || calls.Load() != 1 {
					t.Errorf("settled as %v after %d calls", got, calls.Load())
				}
				if left := r.waiting(); len(left) != 1 || left[0].Tries != 0 || time.Since(began) > 15*time.Second {
					t.Errorf("left are %+v after %v", left, time.Since(began))
				}
			})
		})
	}
}

// An event that the transport will not take however often it is asked must not hold the place of others.
func TestARefusedOutputIsNotKept(t *testing.T) {
	for name, tc := range map[string]struct {
		out func(in events.Event) events.Event
		err error
	}{
		"of a lane that the transport does not have": {
			out: func(in events.Event) events.Event { return in.Next(events.Schedule, events.Failed, 0, now) },
			err: fmt.Errorf("queue: %w", hop.ErrNoLane),
		},
		"of no lane": {
			out: func(in events.Event) events.Event { return in.Next(events.Schedule, events.Scheduled, 1, now) }, // at no target
			err: errors.New("transport: what lane is that"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				bus := outage{Bus: r.bus, until: time.Now().Add(time.Hour), err: tc.err}
				stop := r.start(bus, func(_ context.Context, in events.Event) ([]events.Event, error) {
					return []events.Event{tc.out(in)}, nil
				}, nil)
				r.publish(requested(1))
				synctest.Wait()
				if got := r.kinds(); !slices.Equal(got, []hop.Kind{hop.Return}) {
					t.Errorf("settled as %v", got)
				}
				stop()
			})
		})
	}
}

func TestABatchKeepsAnOutputWhileItHasTime(t *testing.T) {
	for name, tc := range map[string]struct {
		outage, took time.Duration
		want         hop.Kind
	}{
		"an outage shorter than the batch": {outage: 30 * time.Second, took: 30 * time.Second, want: hop.Done},
		"an outage longer than the batch":  {outage: time.Hour, took: 95 * time.Second, want: hop.Return},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				ds, began := r.push(1), time.Now()
				var calls atomic.Int32
				p := r.processor(outage{Bus: r.bus, until: began.Add(tc.outage)}, paid(&calls))
				settled := p.Handle(within(t, 100*time.Second), hop.Batch{Deliveries: ds})
				if got := settled[0].Outcome.Kind; got != tc.want || calls.Load() != 1 {
					t.Errorf("settled as %s after %d calls", got, calls.Load())
				}
				if took := time.Since(began); took < tc.took || took > tc.took+storeAgainMost {
					t.Errorf("it took %v, want %v or a try more", took, tc.took)
				}
			})
		})
	}
}

// storeAgainMost is the longest pause between two tries to store an output.
const storeAgainMost = 5 * time.Second
