package redisstate

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/internal/redistest"
	"baton.dev/baton/internal/tokens"
	"baton.dev/baton/internal/tokens/tokenstest"
)

// arrived returns when nothing waits to be sent.
func (t *Tokens) arrived() {
	for {
		t.mu.Lock()
		running := t.running
		t.mu.Unlock()
		if !running {
			return
		}
		<-time.After(100 * time.Microsecond)
	}
}

func TestTokensConformance(t *testing.T) {
	t.Parallel()
	for name, start := range servers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokenstest.Run(t, tokenstest.Harness{Open: func(t *testing.T) tokenstest.Ends {
				client := start(t)
				sender, follower := NewTokens(client), NewTokens(client)
				return tokenstest.Ends{Sender: sender, Follower: follower, Arrived: sender.arrived}
			}})
		})
	}
}

func TestFollowersShareOneConnection(t *testing.T) {
	t.Parallel()
	for name, start := range servers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := start(t)
			relay := NewTokens(client)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			const followers = 40
			ready, ended := make(chan struct{}), make(chan error, followers)
			for i := range followers {
				go func() {
					ended <- relay.Follow(ctx, strings.Repeat("m", i+1), tokens.ID{}, func() { ready <- struct{}{} }, func(tokens.Piece) {})
				}()
			}
			for range followers {
				<-ready
			}
			channels, err := client.PubSubChannels(ctx, "baton:tokens:*").Result()
			if err != nil || len(channels) != followers {
				t.Errorf("%d channels, %v", len(channels), err)
			}
			if name == "redis-server" {
				list, err := client.ClientList(ctx).Result()
				if n := strings.Count(list, "cmd=subscribe"); err != nil || n != 1 {
					t.Errorf("%d connections are subscribed, %v", n, err)
				}
			}
			cancel()
			for range followers {
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
			relay.ears.asking.Lock()
			defer relay.ears.asking.Unlock()
			if relay.ears.sub != nil || len(relay.ears.of) != 0 {
				t.Error("a connection is left")
			}
		})
	}
}

func TestWhatIsKeptOfAMessageHasBounds(t *testing.T) {
	t.Parallel()
	for name, start := range servers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := start(t)
			relay := NewTokens(client)
			for n := range 3 * tokensKept {
				relay.Send("m", tokens.Piece{ID: tokens.ID{Attempt: 1, N: n}, Text: "x"})
				relay.arrived()
			}
			key := tagged("tokens", "m")
			if n, err := client.XLen(t.Context(), key).Result(); err != nil || n < tokensKept || n > 2*tokensKept {
				t.Errorf("%d pieces are kept, %v", n, err)
			}
			if ttl, err := client.PTTL(t.Context(), key).Result(); err != nil || ttl <= 0 || ttl > tokensFor {
				t.Errorf("they are kept for %v, %v", ttl, err)
			}
		})
	}
}

func TestAServerThatIsAwayCannotBeFollowedAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	server := redistest.Launch(t, os.Getenv)
	client, err := Open("redis://"+server.Address, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	server.Kill()
	relay := NewTokens(client)
	for n := range 2 * queuePieces {
		relay.Send("m", tokens.Piece{ID: tokens.ID{Attempt: 1, N: n}, Text: "x"})
	}
	if err := relay.Follow(t.Context(), "m", tokens.ID{}, nil, func(tokens.Piece) {}); err == nil {
		t.Error("it can be followed")
	}
	relay.arrived()
	server.Restart(t)
	for client.Ping(t.Context()).Err() != nil { // the breaker lets nothing through for a second
		<-time.After(10 * time.Millisecond)
	}
	var taken tokens.Piece
	ctx, cancel := context.WithCancel(t.Context())
	follow := func() error {
		return relay.Follow(ctx, "m", tokens.ID{}, func() {
			relay.Send("m", tokens.Piece{ID: tokens.ID{Attempt: 2}, Text: "back"})
		}, func(p tokens.Piece) {
			taken = p
			cancel()
		})
	}
	for follow() != nil { // nor do the followers try at once
		<-time.After(10 * time.Millisecond)
	}
	if taken.Text != "back" {
		t.Errorf("took %+v", taken)
	}
}

func BenchmarkTokens(b *testing.B) {
	client := redistest.StartServer(b, os.Getenv)
	tokenstest.Benchmark(b, tokenstest.Ends{Sender: NewTokens(client), Follower: NewTokens(client)})
}
