package redisstate

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/answers/answerstest"
	"baton.dev/baton/internal/redistest"
)

func TestAnswersConformance(t *testing.T) {
	t.Parallel()
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		answerstest.Run(t, func(t *testing.T) answerstest.Place {
			server, client := miniWithClock(t)
			return answerstest.Place{
				Open: func() answers.Store { return NewAnswers(client) },
				Pass: server.FastForward,
			}
		})
	})
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		answerstest.Run(t, func(t *testing.T) answerstest.Place {
			client := redistest.StartServer(t, os.Getenv)
			return answerstest.Place{Open: func() answers.Store { return NewAnswers(client) }}
		})
	})
}

// miniWithClock returns a miniredis whose time the test lets pass, and a client of it.
func miniWithClock(t *testing.T) (*miniredis.Miniredis, redis.UniversalClient) {
	t.Helper()
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = client.Close() })
	return server, client
}

func TestEveryKeyOfAnAnswerHasAnExpiry(t *testing.T) {
	t.Parallel()
	server, client := miniWithClock(t)
	a := NewAnswers(client)
	if _, err := a.Lead(t.Context(), "v1.k", "m1", time.Now(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := a.Put(t.Context(), "v1.k", []byte("v"), time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := a.Widen(t.Context(), "v1.k", "m2", answers.Everyone, time.Now(), 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]time.Duration{
		"baton:leaders:{v1.k}": time.Minute, "baton:answer:{v1.k}": time.Hour, "baton:width:{v1.k}": 2 * time.Minute,
	} {
		if got := server.TTL(key); got != want {
			t.Errorf("%s lasts %v, want %v", key, got, want)
		}
	}
	if got := server.Keys(); len(got) != 3 {
		t.Errorf("the keys are %q", got)
	}
	if err := a.Put(t.Context(), "v1.k", []byte("v"), time.Now(), time.Nanosecond); err != nil {
		t.Errorf("put for less than Redis counts: %v", err)
	}
}

// A server that is away must not look like one that has no answer, nor stop who looks.
func TestAnswersOfAServerThatIsAway(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client, err := Open("redis://"+server.Addr(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	s := NewAnswers(client)
	server.Close()
	const prompt = "a prompt that nobody is to read"
	for name, ask := range map[string]func(context.Context) error{
		"get":  func(ctx context.Context) error { _, err := s.Get(ctx, "k"); return err },
		"put":  func(ctx context.Context) error { return s.Put(ctx, "k", []byte(prompt), time.Now(), time.Hour) },
		"lead": func(ctx context.Context) error { _, err := s.Lead(ctx, "k", "m1", time.Now(), time.Hour); return err },
		"land": func(ctx context.Context) error { return s.Land(ctx, "k", "m1") },
		"widen": func(ctx context.Context) error {
			return s.Widen(ctx, "k", "m1", answers.Everyone, time.Now(), time.Hour)
		},
	} {
		switch err := ask(t.Context()); {
		case !errors.Is(err, ErrAway) || errors.Is(err, answers.ErrNotFound):
			t.Errorf("%s: %v, want %v", name, err, ErrAway)
		case !strings.HasPrefix(err.Error(), "answers: "+name+" k: ") || strings.Contains(err.Error(), prompt):
			t.Errorf("%s says %v", name, err)
		}
	}
	a := answers.New(answers.Config{Store: s})
	if !a.Lead(t.Context(), "k", "m1", time.Minute) || !a.Lead(t.Context(), "k", "m2", time.Minute) {
		t.Error("two calls are better than none")
	}
	a.Put(t.Context(), "k", answers.Answer{Output: "42"}, time.Minute)
	if got, ok := a.Get(t.Context(), "k"); !ok || got.Output != "42" {
		t.Errorf("what the process has itself: %v, %+v", ok, got)
	}
}

// What a version before this one has left under a key is no answer, and stops nobody.
func TestAValueOfAnotherFormIsNoAnswer(t *testing.T) {
	t.Parallel()
	server, client := miniWithClock(t)
	s := NewAnswers(client)
	for _, value := range []string{"", "{}", `{"until":"2031-01-02T03:04:05Z","answer":{}}`, "9999999999999999"} {
		if err := server.Set("baton:answer:{k}", value); err != nil {
			t.Fatal(err)
		}
		a := answers.New(answers.Config{Store: s})
		if got, ok := a.Get(t.Context(), "k"); ok {
			t.Errorf("%q is read as %+v", value, got)
		}
		if !a.Lead(t.Context(), "k", "m1", time.Minute) {
			t.Errorf("%q: nobody leads", value)
		}
	}
}
