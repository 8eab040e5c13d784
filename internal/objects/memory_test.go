package objects_test

import (
	"testing"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/objects/objectstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	t.Parallel()
	objectstest.Run(t, func(*testing.T) objectstest.Harness {
		m := objects.NewMemory(nil)
		return objectstest.Harness{Store: m, Alter: func(_ *testing.T, key string, change func([]byte) []byte) {
			m.Alter(key, change)
		}, Whole: true}
	})
}
