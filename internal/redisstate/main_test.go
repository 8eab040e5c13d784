package redisstate

import (
	"testing"

	"github.com/redis/go-redis/v9/logging"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	logging.Disable() // it logs every dial that fails, which is what some tests are about
	goleak.VerifyTestMain(m)
}
