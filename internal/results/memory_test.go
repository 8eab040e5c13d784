package results_test

import (
	"testing"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/results/resultstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryConformance(t *testing.T) {
	resultstest.Run(t, resultstest.Harness{Forever: true, Open: func(*testing.T) (results.Cells, func() results.Cells) {
		cells := results.NewMemory()
		return cells, func() results.Cells { return cells }
	}})
}
