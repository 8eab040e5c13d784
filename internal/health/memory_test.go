package health_test

import (
	"testing"
	"time"

	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/health/healthtest"
)

func TestMemoryConformance(t *testing.T) {
	t.Parallel()
	healthtest.Run(t, healthtest.Harness{
		Open: func(*testing.T) (health.Store, func(time.Duration)) { return health.NewMemory(), nil },
	})
}
