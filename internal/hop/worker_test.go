package hop_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/hop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var normal = events.Lane{Hop: events.Schedule, Priority: events.Normal}

// rig is a worker on a transport in memory, in virtual time.
type rig struct {
	t       *testing.T
	bus     *membus.Bus
	log     bytes.Buffer
	settled []hop.Settled
	mu      sync.Mutex
}

func newRig(t *testing.T) *rig {
	return &rig{t: t, bus: membus.New(membus.Options{Lease: 10 * time.Second, MaxData: 1000})}
}

// start starts a worker over the bus and returns what stops it and waits for the drain.
func (r *rig) start(bus hop.Bus, handler hop.Handler, change func(*hop.Config)) (stop func()) {
	r.t.Helper()
	cfg := hop.Config{
		Hop: events.Schedule, Handler: handler, Bus: bus, Lanes: []hop.Lane{{Lane: normal}}, Concurrency: 2,
		Log: slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observe: func(s hop.Settled) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.settled = append(r.settled, s)
		},
	}
	if change != nil {
		change(&cfg)
	}
	w, err := hop.NewWorker(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func (r *rig) publish(out ...events.Event) {
	r.t.Helper()
	if err := r.bus.Publish(r.t.Context(), out...); err != nil {
		r.t.Fatal(err)
	}
}

// kinds returns the outcomes so far.
func (r *rig) kinds() []hop.Kind {
	r.mu.Lock()
	defer r.mu.Unlock()
	var kinds []hop.Kind
	for _, s := range r.settled {
		kinds = append(kinds, s.Outcome.Kind)
	}
	return kinds
}

func (r *rig) dead() []events.Event {
	var dead []events.Event
	for d, err := range r.bus.DeadLetters(r.t.Context()) {
		if err != nil {
			r.t.Fatal(err)
		}
		dead = append(dead, d.Event)
	}
	return dead
}

func TestAPanicIsTriedAgainAndThenDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		stop := r.start(r.bus, func(context.Context, events.Event) ([]events.Event, error) { panic("at the disco") },
			func(c *hop.Config) { c.Limits.Tries = 2 })
		r.publish(requested(1))
		<-time.After(time.Minute)
		stop()
		if got := r.kinds(); !slices.Equal(got, []hop.Kind{hop.Retry, hop.Dead}) {
			t.Errorf("settled as %v", got)
		}
		dead := r.dead()
		if len(dead) != 1 || dead[0].Dead.Reason != events.ReasonPanic || !strings.Contains(dead[0].Dead.Detail, "at the disco") {
			t.Errorf("dead letters: %+v", dead)
		}
		if log := r.log.String(); !strings.Contains(log, "worker_test.go") || strings.Contains(dead[0].Dead.Detail, "goroutine") {
			t.Errorf("the stack belongs in the log and not in the dead letter: %s", log)
		}
	})
}

func TestAnOutputOverTheLimitMakesItsInputDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		stop := r.start(r.bus, func(_ context.Context, in events.Event) ([]events.Event, error) {
			out := in.Next(events.Schedule, events.Scheduled, 1, now)
			out.Target, out.Data = "t", make([]byte, 1001)
			return []events.Event{out}, nil
		}, nil)
		r.publish(requested(1))
		synctest.Wait()
		stop()
		if dead := r.dead(); len(dead) != 1 || dead[0].Dead.Reason != events.ReasonTooLarge || dead[0].ID != requested(1).ID {
			t.Errorf("dead letters: %+v", dead)
		}
	})
}

func TestADrainEndsWorkThatOutlivesItsGraceAndGivesItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		stop := r.start(r.bus, func(ctx context.Context, _ events.Event) ([]events.Event, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, func(c *hop.Config) { c.Grace = 5 * time.Second })
		r.publish(requested(1))
		synctest.Wait()
		began := time.Now()
		stop()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the drain took %v, want its grace", took)
		}
		if got := r.kinds(); !slices.Equal(got, []hop.Kind{hop.Return}) {
			t.Errorf("settled as %v", got)
		}
		if err := r.bus.Receive(t.Context(), normal, 1, func(d hop.Delivery) {
			if d.Event.Tries != 0 || time.Since(began) > 5*time.Second {
				t.Errorf("came back after %v with %d tries", time.Since(began), d.Event.Tries)
			}
		}); err != nil {
			t.Error(err)
		}
	})
}

// deaf is a bus whose leases cannot be extended.
type deaf struct{ hop.Bus }

func (d deaf) Receive(ctx context.Context, lane events.Lane, limit int, take func(hop.Delivery)) error {
	return d.Bus.Receive(ctx, lane, limit, func(d hop.Delivery) {
		d.Settler = deafSettler{d.Settler}
		take(d)
	})
}

type deafSettler struct{ hop.Settler }

func (deafSettler) Extend(context.Context) error { return errors.New("no answer") }

func TestALostLeaseEndsTheWorkAndSettlesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var calls int
		stop := r.start(deaf{r.bus}, func(ctx context.Context, _ events.Event) ([]events.Event, error) {
			calls++
			if calls > 1 {
				return nil, nil // another worker took it over
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}, func(c *hop.Config) { c.Concurrency = 1 })
		r.publish(requested(1))
		<-time.After(30 * time.Second)
		stop()
		if got := r.kinds(); !slices.Equal(got, []hop.Kind{hop.Return, hop.Done}) {
			t.Errorf("settled as %v", got)
		}
	})
}

// recorder notes the order of what reaches the transport.
type recorder struct {
	hop.Bus
	steps *[]string
}

func (r recorder) Publish(ctx context.Context, out ...events.Event) error {
	err := r.Bus.Publish(ctx, out...)
	*r.steps = append(*r.steps, "stored")
	return err
}

func (r recorder) Receive(ctx context.Context, lane events.Lane, limit int, take func(hop.Delivery)) error {
	return r.Bus.Receive(ctx, lane, limit, func(d hop.Delivery) {
		d.Settler = recordedSettler{d.Settler, r.steps}
		take(d)
	})
}

type recordedSettler struct {
	hop.Settler
	steps *[]string
}

func (s recordedSettler) Ack(ctx context.Context) error {
	*s.steps = append(*s.steps, "acknowledged")
	return s.Settler.Ack(ctx)
}

func TestOutputIsStoredBeforeInputIsAcknowledged(t *testing.T) {
	for name, handler := range map[string]hop.Handler{
		"when it is done": func(_ context.Context, in events.Event) ([]events.Event, error) {
			out := in.Next(events.Schedule, events.Failed, 0, now)
			return []events.Event{out}, nil
		},
		"when it is refused": func(context.Context, events.Event) ([]events.Event, error) {
			return nil, hop.Reject(events.ReasonRefused, errors.New("no"))
		},
		"when it is tried again": func(context.Context, events.Event) ([]events.Event, error) {
			return nil, hop.RetryAfter(errors.New("later"), time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				var steps []string
				stop := r.start(recorder{r.bus, &steps}, handler, nil)
				r.publish(requested(1))
				synctest.Wait()
				stop()
				if !slices.Equal(steps, []string{"stored", "acknowledged"}) {
					t.Errorf("the steps were %v", steps)
				}
			})
		})
	}
}

// full is a transport that stores nothing more.
type full struct{ hop.Bus }

var errFull = errors.New("disk is full")

func (full) Publish(context.Context, ...events.Event) error { return errFull }

func TestInputIsKeptWhenItsCopyOrDeadLetterCannotBeStored(t *testing.T) {
	for name, outcome := range map[string]error{
		"a try":          errors.New("not yet"),
		"a refusal":      hop.Reject(events.ReasonRefused, errors.New("no")),
		"a replacement":  hop.Replace(requested(1)),
		"nothing but ok": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				var steps []string
				stop := r.start(recorder{full{r.bus}, &steps}, func(_ context.Context, in events.Event) ([]events.Event, error) {
					return []events.Event{in.Next(events.Schedule, events.Failed, 0, now)}, outcome
				}, nil)
				r.publish(requested(1))
				<-time.After(10 * time.Second)
				stop()
				if slices.Contains(steps, "acknowledged") || len(steps) < 3 {
					t.Errorf("the steps were %v, want it tried again and again and never acknowledged", steps)
				}
				for _, kind := range r.kinds() {
					if kind != hop.Return {
						t.Errorf("settled as %v", r.kinds())
					}
				}
			})
		})
	}
}

func TestAReplacedEventGoesOnAtOnceAndCountsNoTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		stop := r.start(r.bus, func(_ context.Context, in events.Event) ([]events.Event, error) {
			if string(in.Data) == "{}" {
				in.Data = []byte(`{"other":1}`)
				return nil, hop.Replace(in)
			}
			return nil, nil
		}, nil)
		r.publish(requested(1))
		synctest.Wait()
		stop()
		if got := r.kinds(); !slices.Equal(got, []hop.Kind{hop.Retry, hop.Done}) {
			t.Fatalf("settled as %v", got)
		}
		if last := r.settled[1].In; last.ID != requested(1).ID || last.Tries != 0 || last.Copy != 1 || string(last.Data) != `{"other":1}` {
			t.Errorf("went on as %+v", last)
		}
	})
}

func TestAParkedEventWaitsAndCountsNoTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		until := time.Now().Add(time.Hour)
		stop := r.start(r.bus, func(context.Context, events.Event) ([]events.Event, error) {
			if time.Now().Before(until) {
				return nil, hop.Park(errors.New("the target is out"), until)
			}
			return nil, nil
		}, nil)
		r.publish(requested(1))
		<-time.After(time.Hour + time.Minute)
		stop()
		if got := r.kinds(); !slices.Equal(got, []hop.Kind{hop.Parked, hop.Done}) {
			t.Fatalf("settled as %v", got)
		}
		if last := r.settled[1]; last.In.ID != requested(1).ID || last.In.Tries != 0 || last.In.Copy != 1 || last.Began.Before(until) {
			t.Errorf("went on as %+v at %v", last.In, last.Began)
		}
	})
}

func TestAnOutputIsStoredThoughTheGraceIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		stop := r.start(slowStore{r.bus}, func(ctx context.Context, in events.Event) ([]events.Event, error) {
			<-ctx.Done() // the answer comes with the last second of the grace
			return []events.Event{in.Next(events.Schedule, events.Failed, 0, now)}, nil
		}, func(c *hop.Config) { c.Grace = time.Second })
		r.publish(requested(1))
		synctest.Wait()
		stop()
		if got := r.kinds(); !slices.Equal(got, []hop.Kind{hop.Done}) {
			t.Errorf("settled as %v", got)
		}
	})
}

// slowStore takes a while to store, and gives up when it is told to.
type slowStore struct{ hop.Bus }

func (s slowStore) Publish(ctx context.Context, out ...events.Event) error {
	select {
	case <-time.After(2 * time.Second):
		return s.Bus.Publish(ctx, out...)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestAWorkerSaysWhatItsConfigurationLacks(t *testing.T) {
	if _, err := hop.NewWorker(hop.Config{Hop: events.Infer}); err == nil || !strings.Contains(err.Error(), "infer") {
		t.Errorf("NewWorker: %v", err)
	}
}
