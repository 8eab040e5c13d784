package membus_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/bustest"
	"baton.dev/baton/internal/bus/membus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	bustest.Run(t, bustest.Harness{
		Virtual: true,
		Lease:   1500 * time.Millisecond, MaxData: 1 << 20, OverData: 1<<20 + 1,
		Capabilities: bustest.Capabilities{Ordered: true, Deduplicates: true, AckIsFinal: true, Apart: true},
		Depths: func(ctx context.Context, b bustest.Transport) (map[events.Lane]int, error) {
			return b.(*membus.Bus).Depths(ctx)
		},
		Open: func(*testing.T) (bustest.Transport, func() bustest.Transport) {
			b := membus.New(membus.Options{Lease: 1500 * time.Millisecond, MaxData: 1 << 20})
			return b, func() bustest.Transport { return b }
		},
	})
}
