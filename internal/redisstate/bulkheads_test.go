package redisstate

import (
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"baton.dev/baton/internal/bulkhead"
	"baton.dev/baton/internal/bulkhead/bulkheadtest"
)

func TestBulkheadsConformance(t *testing.T) {
	t.Parallel()
	for name, start := range servers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bulkheadtest.Run(t, func(t *testing.T) bulkhead.Store { return NewBulkheads(start(t)) })
		})
	}
}

func TestEveryKeyOfABulkheadExpires(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	store, now := NewBulkheads(open(t, "redis://"+server.Addr())), time.Now()
	enter := func(id string, ttl time.Duration) {
		t.Helper()
		if _, err := store.Enter(t.Context(), "t", id, 2, now, ttl); err != nil {
			t.Fatal(err)
		}
	}
	enter("long", 2*time.Minute)
	enter("short", time.Minute) // which must not end the other's place
	enter("waiting", time.Minute)
	if keys := server.Keys(); len(keys) != 3 {
		t.Errorf("keys: %q", keys)
	}
	server.FastForward(time.Minute + time.Second)
	if keys := server.Keys(); len(keys) != 1 {
		t.Errorf("keys after the wait: %q", keys)
	}
	server.FastForward(time.Minute)
	if keys := server.Keys(); len(keys) != 0 {
		t.Errorf("keys that stay: %q", keys)
	}
	if err := store.Stay(t.Context(), "t", "long", now, time.Minute); err != nil {
		t.Fatal(err)
	}
	server.FastForward(time.Minute)
	if keys := server.Keys(); len(keys) != 0 {
		t.Errorf("keys that stay: %q", keys)
	}
}

func TestAStoreOfBulkheadsThatIsAwaySaysSo(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	store, now := NewBulkheads(open(t, "redis://"+server.Addr())), time.Now()
	server.Close()
	if ok, err := store.Enter(t.Context(), "t", "a", 1, now, time.Minute); ok || !errors.Is(err, ErrAway) {
		t.Errorf("enter: %t, %v", ok, err)
	}
	if err := store.Stay(t.Context(), "t", "a", now, time.Minute); !errors.Is(err, ErrAway) {
		t.Errorf("stay: %v", err)
	}
	if err := store.Leave(t.Context(), "t", "a"); !errors.Is(err, ErrAway) {
		t.Errorf("leave: %v", err)
	}
}
