package redistest_test

import (
	"os"
	"testing"

	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/redistest"
)

func TestEachTestHasARedisOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) redis.UniversalClient{
		"miniredis":    func(t *testing.T) redis.UniversalClient { return redistest.StartMini(t) },
		"redis-server": func(t *testing.T) redis.UniversalClient { return redistest.StartServer(t, os.Getenv) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, other := start(t), start(t)
			if err := one.Set(t.Context(), "k", "v", 0).Err(); err != nil {
				t.Fatal(err)
			}
			if n, err := other.DBSize(t.Context()).Result(); n != 0 || err != nil {
				t.Errorf("the other has %d keys, %v", n, err)
			}
		})
	}
}

func TestAServerThatIsStartedAgainHasForgottenEverything(t *testing.T) {
	t.Parallel()
	server := redistest.Launch(t, os.Getenv)
	client := server.Client(t)
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("a killed server answers")
	}
	server.Restart(t)
	// A client of its own: the first has a connection that is dead, and tries nothing twice.
	if n, err := server.Client(t).DBSize(t.Context()).Result(); n != 0 || err != nil {
		t.Errorf("%d keys, %v", n, err)
	}
}
