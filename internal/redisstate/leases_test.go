package redisstate

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/lease/leasetest"
	"baton.dev/baton/internal/redistest"
)

// servers are the kinds of Redis that a store is tested on.
func servers() map[string]func(*testing.T) redis.UniversalClient {
	return map[string]func(*testing.T) redis.UniversalClient{
		"miniredis":    func(t *testing.T) redis.UniversalClient { return redistest.StartMini(t) },
		"redis-server": func(t *testing.T) redis.UniversalClient { return redistest.StartServer(t, os.Getenv) },
	}
}

func TestLeasesConformance(t *testing.T) {
	t.Parallel()
	for name, start := range servers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leasetest.Run(t, func(t *testing.T) lease.Store { return NewLeases(start(t)) })
		})
	}
}

// twice is a client that loses each first answer, and sends the command again as go-redis does.
type twice struct{ *guard }

func (*twice) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := next(ctx, cmd); err != nil {
			return err
		}
		return next(ctx, cmd)
	}
}

func TestStepsWhoseAnswerWasLostAreTakenOnce(t *testing.T) {
	t.Parallel()
	for name, start := range servers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := start(t)
			client.AddHook(&twice{newGuard()})
			leases, now := NewLeases(client), time.Now()
			for range 3 {
				g, err := leases.Acquire(t.Context(), "k", now, time.Minute)
				if err != nil || g.Token == 0 {
					t.Fatalf("acquire: %+v, %v", g, err)
				}
				if ok, err := leases.Finish(t.Context(), "k", g.Token, now, nil, 0); !ok || err != nil {
					t.Fatalf("free: %t, %v", ok, err)
				}
			}
			g, err := leases.Acquire(t.Context(), "k", now, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := leases.Finish(t.Context(), "k", g.Token, now, []byte("done"), time.Minute); !ok || err != nil {
				t.Errorf("finish: %t, %v", ok, err)
			}
		})
	}
}

func TestEveryKeyOfALeaseExpires(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	leases, now := NewLeases(open(t, "redis://"+server.Addr())), time.Now()
	for _, key := range []string{"held", "renewed", "freed", "finished"} {
		g, err := leases.Acquire(t.Context(), key, now, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		switch key {
		case "renewed":
			_, err = leases.Renew(t.Context(), key, g.Token, now, time.Minute)
		case "freed":
			_, err = leases.Finish(t.Context(), key, g.Token, now, nil, 0)
		case "finished":
			_, err = leases.Finish(t.Context(), key, g.Token, now, []byte("done"), time.Minute)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := len(server.Keys()); n != 5 {
		t.Errorf("keys: %q", server.Keys())
	}
	server.FastForward(time.Minute)
	if n := len(server.Keys()); n != 4 {
		t.Errorf("an outcome is kept for longer than was said: %q", server.Keys())
	}
	server.FastForward(lease.Remembered)
	if keys := server.Keys(); len(keys) != 0 {
		t.Errorf("keys that stay: %q", keys)
	}
}

func TestAStoreOfLeasesThatIsAwaySaysSo(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	leases, now := NewLeases(open(t, "redis://"+server.Addr())), time.Now()
	server.Close()
	if _, err := leases.Acquire(t.Context(), "k", now, time.Minute); !errors.Is(err, ErrAway) {
		t.Errorf("acquire: %v", err)
	}
	if ok, err := leases.Renew(t.Context(), "k", 1, now, time.Minute); ok || !errors.Is(err, ErrAway) {
		t.Errorf("renew: %t, %v", ok, err)
	}
	if ok, err := leases.Finish(t.Context(), "k", 1, now, []byte("done"), time.Minute); ok || !errors.Is(err, ErrAway) {
		t.Errorf("finish: %t, %v", ok, err)
	}
}
