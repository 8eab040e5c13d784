package bulkhead_test

import (
	"testing"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/bulkhead"
	"baton.dev/baton/internal/bulkhead/bulkheadtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryConformance(t *testing.T) {
	t.Parallel()
	bulkheadtest.Run(t, func(*testing.T) bulkhead.Store { return bulkhead.NewMemory() })
}
