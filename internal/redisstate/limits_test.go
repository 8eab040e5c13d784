package redisstate

import (
	"strings"
	"testing"
	"time"

	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/limit/limittest"
	"baton.dev/baton/internal/redistest"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, start := range servers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limittest.Run(t, limittest.Harness{Open: func(t *testing.T) limittest.Opened {
				return limittest.Opened{Store: NewLimits(start(t)), Now: time.Now}
			}})
		})
	}
}

func TestKeysOfLimitsAreOursAndExpire(t *testing.T) {
	t.Parallel()
	client := redistest.StartMini(t)
	// The time is the server's: the caller's tells nothing.
	_, err := NewLimits(client).Take(t.Context(), "search", limit.Rate{PerSecond: 2, Burst: 1}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 1 || !strings.HasPrefix(keys[0], "baton:") || !strings.Contains(keys[0], "{search}") {
		t.Fatalf("keys %q, %v", keys, err)
	}
	if ttl := client.PTTL(t.Context(), keys[0]).Val(); ttl <= 0 || ttl > time.Second {
		t.Errorf("it expires in %s", ttl)
	}
}
