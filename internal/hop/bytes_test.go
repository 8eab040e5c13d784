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

func TestWhatIsLargeIsWorkedAFewAtATime(t *testing.T) {
	const each = 10 << 20
	for name, c := range map[string]struct {
		bound int64
		want  int32
	}{
		"without a bound": {0, 8},
		"up to the bound": {2*each + 1, 3},
		"one that is over the bound goes by itself": {each - 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := membus.New(membus.Options{})
				var running, most, done atomic.Int32
				w, err := hop.NewWorker(hop.Config{
					Hop: events.Schedule, Bus: bus, Lanes: []hop.Lane{{Lane: normal}}, Concurrency: 8, Bytes: c.bound,
					Log: slog.New(slog.DiscardHandler),
					Handler: func(context.Context, events.Event) ([]events.Event, error) {
						now := running.Add(1)
						most.Store(max(most.Load(), now))
						<-time.After(time.Second)
						running.Add(-1)
						done.Add(1)
						return nil, nil
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				data := make([]byte, each)
				for n := range 16 {
					e := requested(n)
					e.Data = data
					if err := bus.Publish(t.Context(), e); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				var worker sync.WaitGroup
				worker.Go(func() { w.Run(ctx) })
				<-time.After(time.Minute)
				if most.Load() != c.want || done.Load() != 16 {
					t.Errorf("%d were at work at once, want %d; %d are done", most.Load(), c.want, done.Load())
				}
				cancel()
				worker.Wait()
			})
		})
	}
}
