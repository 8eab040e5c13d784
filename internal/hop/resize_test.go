package hop_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/hop"
)

func TestAWorkerIsResizedUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Options{})
		var running, ended atomic.Int32
		w, err := hop.NewWorker(hop.Config{
			Hop: events.Schedule, Bus: bus, Lanes: []hop.Lane{{Lane: normal}}, Concurrency: 2, Log: slog.New(slog.DiscardHandler),
			Handler: func(ctx context.Context, _ events.Event) ([]events.Event, error) {
				running.Add(1)
				defer running.Add(-1)
				select {
				case <-time.After(10 * time.Second):
				case <-ctx.Done():
					ended.Add(1)
				}
				return nil, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var worker sync.WaitGroup
		worker.Go(func() { w.Run(ctx) })
		for n := range 200 {
			if err := bus.Publish(ctx, requested(n)); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(when string, want int32) {
			t.Helper()
			synctest.Wait()
			if got := running.Load(); got != want {
				t.Errorf("%s %d are at work, want %d", when, got, want)
			}
		}
		expect("at first", 2)
		w.Resize(5, 0)
		expect("with more places", 5)
		<-time.After(3 * time.Second)
		w.Resize(1, 0)
		expect("with fewer places", 5) // what is begun goes on
		<-time.After(10 * time.Second)
		expect("when what was begun is done", 1)
		w.Resize(3, 2)
		expect("with more places again", 3)
		w.Resize(0, 0)
		expect("with the default", 64)
		if ended.Load() != 0 {
			t.Errorf("%d were ended", ended.Load())
		}
		cancel()
		worker.Wait()
		w.Resize(7, 0) // of one that has ended, it does nothing
		w.Weigh(map[events.Priority]int{events.High: 2})
	})
}

func TestPlacesThatGoUnusedTakeNoWorkWithThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := membus.New(membus.Options{})
		var handled atomic.Int32
		w, err := hop.NewWorker(hop.Config{
			Hop: events.Schedule, Bus: bus, Lanes: []hop.Lane{{Lane: normal}}, Concurrency: 32, Log: slog.New(slog.DiscardHandler),
			Handler: func(context.Context, events.Event) ([]events.Event, error) {
				handled.Add(1)
				return nil, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.Run(ctx) })
		const all = 200
		for n := range all { // one wakes one of those that wait, and it may be one too many
			if err := bus.Publish(ctx, requested(n)); err != nil {
				t.Fatal(err)
			}
			w.Resize(1+n%32, 4)
		}
		<-time.After(time.Second)
		if got := handled.Load(); got != all {
			t.Errorf("handled %d of %d", got, all)
		}
		cancel()
		running.Wait()
	})
}
