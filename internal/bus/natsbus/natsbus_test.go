package natsbus_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/bustest"
	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const lease = 5 * time.Second

func TestConformance(t *testing.T) {
	for name, syncAlways := range map[string]bool{"sync by interval": false, "sync always with group commit": true} {
		t.Run(name, func(t *testing.T) {
			bustest.Run(t, bustest.Harness{
				Lease: lease, MaxData: 1<<20 - 8<<10, OverData: 1 << 20, Texted: true,
				Capabilities: bustest.Capabilities{Ordered: true, Deduplicates: true, AckIsFinal: true, Apart: true},
				Depths: func(ctx context.Context, b bustest.Transport) (map[events.Lane]int, error) {
					return b.(*natsbus.Bus).Depths(ctx)
				},
				Open: func(t *testing.T) (bustest.Transport, func() bustest.Transport) {
					s := natstest.Start(t, syncAlways)
					open := func() bustest.Transport { return openBus(t, s, syncAlways) }
					return open(), open
				},
			})
		})
	}
}

func openBus(t *testing.T, s *server.Server, together bool) *natsbus.Bus {
	t.Helper()
	b, err := natsbus.New(t.Context(), natstest.Connect(t, s), natsbus.Options{
		Lease: lease, Wait: 2 * time.Second, Together: together,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
