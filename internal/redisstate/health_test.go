package redisstate

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/health/healthtest"
	"baton.dev/baton/internal/redistest"
)

func TestHealthConformance(t *testing.T) {
	t.Parallel()
	for name, start := range servers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			healthtest.Run(t, healthtest.Harness{
				Open: func(t *testing.T) (health.Store, func(time.Duration)) {
					client := start(t)
					return NewHealth(client), func(d time.Duration) { age(t, client, d) }
				},
			})
		})
	}
}

// age makes every key of the server as much nearer to its end, and fails where one has none.
func age(t *testing.T, client redis.UniversalClient, by time.Duration) {
	t.Helper()
	ctx := t.Context()
	keys, err := client.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		left, err := client.PTTL(ctx, key).Result()
		if err != nil || left <= 0 {
			t.Fatalf("%s ends in %v, %v", key, left, err)
		}
		if err := client.PExpire(ctx, key, left-by).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHealthOfAServerThatIsAwayIsAnError(t *testing.T) {
	t.Parallel()
	client, err := Open("redis://127.0.0.1:1", Options{}) // nothing listens there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	h, ctx, now := NewHealth(client), t.Context(), time.Now()
	for name, call := range map[string]func(context.Context) error{
		"read": func(ctx context.Context) error { _, err := h.Read(ctx, []string{"a", "b"}, now); return err },
		"swap": func(ctx context.Context) error {
			_, err := h.Swap(ctx, []health.Change{{Target: "a", New: []byte("x")}}, now, time.Minute)
			return err
		},
		"probe":   func(ctx context.Context) error { _, err := h.Probe(ctx, "a", "me", now, time.Minute); return err },
		"release": func(ctx context.Context) error { return h.Release(ctx, "a", "me") },
	} {
		if err := call(ctx); !errors.Is(err, ErrAway) {
			t.Errorf("%s: %v, want %v", name, err, ErrAway)
		}
	}
}

// A record that a server cannot be trusted with must not look like one that is not kept.
func TestHealthThatIsOfAnotherTypeIsAnError(t *testing.T) {
	t.Parallel()
	client := servers()["miniredis"](t)
	if err := client.LPush(t.Context(), recordKey("a"), "x").Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := NewHealth(client).Read(t.Context(), []string{"a"}, time.Now()); err == nil {
		t.Errorf("read %q and no error", got)
	}
}

func TestBoardsOverAServerThatLosesEverything(t *testing.T) {
	t.Parallel()
	server := redistest.Launch(t, os.Getenv)
	board := func() *health.Board {
		return health.New(health.Config{
			Store: NewHealth(open(t, "redis://"+server.Address)), Targets: func() []string { return []string{"a", "b"} },
		})
	}
	one, two := board(), board()
	sync := func(boards ...*health.Board) {
		t.Helper()
		for _, b := range boards {
			eventually(t, "no sync", func() bool { return b.Sync(t.Context()) == nil })
		}
	}
	one.Report(health.Outcome{Target: "a", Code: events.CodeQuotaExhausted, RetryAt: time.Now().Add(time.Hour)})
	sync(one, two)
	if got := two.Status("a"); got.State != health.Open {
		t.Errorf("not shared: %+v", got)
	}
	server.Kill()
	if err := two.Sync(t.Context()); !errors.Is(err, ErrAway) {
		t.Errorf("sync: %v, want %v", err, ErrAway)
	}
	two.Report(health.Outcome{Target: "b", Code: events.CodeQuotaExhausted, RetryAt: time.Now().Add(time.Hour)})
	server.Restart(t)
	late := board()
	sync(two, late, one)
	for name, b := range map[string]*health.Board{"one": one, "two": two, "late": late} {
		for _, target := range []string{"a", "b"} {
			if got := b.Status(target); got.State != health.Open {
				t.Errorf("%s knows %+v of %s", name, got, target)
			}
		}
	}
}
