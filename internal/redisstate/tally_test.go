package redisstate

import (
	"strings"
	"testing"
	"time"

	"baton.dev/baton/internal/redistest"
	"baton.dev/baton/internal/tally"
	"baton.dev/baton/internal/tally/tallytest"
)

func TestTally(t *testing.T) {
	t.Parallel()
	for name, start := range servers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tallytest.Run(t, func(t *testing.T) tally.Store { return NewTally(start(t)) })
		})
	}
}

func TestKeysOfTalliesAreOursAndExpireWithTheLastEntry(t *testing.T) {
	t.Parallel()
	client := redistest.StartMini(t)
	store := NewTally(client)
	now := time.Date(2040, 3, 1, 12, 0, 0, 0, time.UTC) // of the caller, not of the server
	for id, in := range map[string]time.Duration{"a": time.Hour, "b": time.Minute, "c": -time.Minute} {
		if _, err := store.Enter(t.Context(), "search", id, 9, now, now.Add(in)); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 1 || !strings.HasPrefix(keys[0], "baton:") || !strings.Contains(keys[0], "{search}") {
		t.Fatalf("keys %q, %v", keys, err)
	}
	if ttl := client.PTTL(t.Context(), keys[0]).Val(); ttl != time.Hour {
		t.Errorf("it expires in %s", ttl)
	}
}
