package hop_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/hop"
)

func TestALaneIsServedWhileThereIsWorkInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Options{Wait: 20 * time.Second})
		var handled []string
		w, err := hop.NewWorker(hop.Config{
			Hop: events.Infer, Bus: bus, Concurrency: 1, Log: slog.New(slog.DiscardHandler),
			Lanes: []hop.Lane{{Lane: events.Lane{Hop: events.Infer, Priority: events.Normal, Target: "a"}}},
			Handler: func(_ context.Context, in events.Event) ([]events.Event, error) {
				handled = append(handled, in.ID)
				return nil, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.Run(ctx) })
		own := hop.Lane{Lane: events.Lane{Hop: events.Infer, Priority: events.Normal, Target: "a", Tenant: "t"}, Passing: true}
		for n := range 2 { // the second time, the lane has been given up
			e := requested(n).Next(events.Schedule, events.Scheduled, 1, time.Now())
			e.Target, e.Apart = "a", true
			if err := bus.Publish(ctx, e); err != nil {
				t.Fatal(err)
			}
			w.Serve(own)
			w.Serve(own)
			<-time.After(time.Minute)
			if len(handled) != n+1 {
				t.Fatalf("handled %v", handled)
			}
		}
		cancel()
		running.Wait()
		w.Serve(own) // of one that has ended, it does nothing
	})
}
