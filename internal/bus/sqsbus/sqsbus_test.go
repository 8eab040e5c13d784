package sqsbus_test

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/bustest"
	"baton.dev/baton/internal/bus/sqsbus"
	"baton.dev/baton/internal/sqstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const lease = 5 * time.Second

func TestConformance(t *testing.T) {
	s := sqstest.Start(t, os.Getenv)
	bustest.Run(t, bustest.Harness{
		// What is not JSON travels as base64, a third larger; a dead letter's attributes have 8 KiB.
		Lease: lease, MaxData: (1<<20 - 10<<10) / 4 * 3, OverData: (1<<20 - 8<<10) / 4 * 3,
		Capabilities: bustest.Capabilities{AckIsFinal: !s.Real},
		Depths: func(ctx context.Context, b bustest.Transport) (map[events.Lane]int, error) {
			return b.(*sqsbus.Bus).Depths(ctx, []string{"t"})
		},
		Open: func(t *testing.T) (bustest.Transport, func() bustest.Transport) {
			base := queues(t, s)
			open := func() bustest.Transport {
				return sqsbus.New(s.Client(t), sqsbus.Options{URL: base, Lease: lease})
			}
			return open(), open
		},
	})
}

// queues makes the queues of a chain with one target, t, for the normal priority, and returns what their URLs begin with.
func queues(t *testing.T, s *sqstest.Server) string {
	t.Helper()
	base := s.Base()
	lanes := []events.Lane{{Hop: events.Dead}, {Hop: events.Infer, Priority: events.Normal, Target: "t"}}
	for _, p := range events.Priorities() {
		lanes = append(lanes, events.Lane{Hop: events.Schedule, Priority: p})
	}
	for _, l := range lanes {
		s.Create(t, sqsbus.QueueURL(base, l), nil)
	}
	return base
}
