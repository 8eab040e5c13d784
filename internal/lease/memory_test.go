package lease_test

import (
	"testing"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/lease/leasetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryConformance(t *testing.T) {
	t.Parallel()
	leasetest.Run(t, func(*testing.T) lease.Store { return lease.NewMemory() })
}
