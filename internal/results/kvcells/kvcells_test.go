package kvcells_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/natstest"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/results/kvcells"
	"baton.dev/baton/internal/results/resultstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for name, syncAlways := range map[string]bool{"sync by interval": false, "sync always with group commit": true} {
		t.Run(name, func(t *testing.T) {
			resultstest.Run(t, resultstest.Harness{Open: func(t *testing.T) (results.Cells, func() results.Cells) {
				s := natstest.Start(t, syncAlways)
				open := func() results.Cells { return openCells(t, s, syncAlways) }
				return open(), open
			}})
		})
	}
}

func openCells(t *testing.T, s *server.Server, together bool) *kvcells.Cells {
	t.Helper()
	nc := natstest.Connect(t, s)
	js, err := natsbus.NewJetStream(nc)
	if err != nil {
		t.Fatal(err)
	}
	cells, err := kvcells.New(t.Context(), nc, js, kvcells.Options{Together: together})
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

func TestABucketThatIsOpenedIsTriedAndNotWritten(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, false)
	openCells(t, s, false)
	nc := natstest.Connect(t, s)
	js, err := natsbus.NewJetStream(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kvcells.Open(t.Context(), nc, js); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "KV_BATON_RESULTS")
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n != 0 {
		t.Errorf("%d messages were stored", n)
	}
	// A stream without the bucket's subjects, as it looks from where these do not lead to it.
	cfg := stream.CachedInfo().Config
	cfg.Subjects = []string{"elsewhere"}
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := kvcells.Open(t.Context(), nc, js); !errors.Is(err, kvcells.ErrNotWritable) {
		t.Errorf("got %v", err)
	}
}
