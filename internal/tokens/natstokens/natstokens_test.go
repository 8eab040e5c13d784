package natstokens_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"baton.dev/baton/internal/natstest"
	"baton.dev/baton/internal/tokens"
	"baton.dev/baton/internal/tokens/natstokens"
	"baton.dev/baton/internal/tokens/tokenstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a relay over a connection of its own.
func open(t testing.TB, s *server.Server) (*natstokens.Relay, func()) {
	t.Helper()
	nc := natstest.Connect(t, s)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	relay := natstokens.New(t.Context(), nc, js, slog.New(slog.DiscardHandler))
	stream, err := js.Stream(t.Context(), "BATON_TOKENS")
	if err != nil { // the server has no JetStream: what was handed on is all there is
		return relay, func() { _ = nc.Flush() }
	}
	return relay, func() {
		marker := "baton.tokens." + uuid.NewString() // which the stream keeps after what was sent before
		if err := errors.Join(nc.Publish(marker, nil), nc.Flush()); err != nil {
			t.Errorf("flush: %v", err)
		}
		for {
			_, err := stream.GetLastMsgForSubject(t.Context(), marker)
			if !errors.Is(err, jetstream.ErrMsgNotFound) {
				return
			}
		}
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	tokenstest.Run(t, tokenstest.Harness{Open: func(t *testing.T) tokenstest.Ends {
		s := natstest.Start(t, false)
		sender, arrived := open(t, s)
		follower, _ := open(t, s)
		return tokenstest.Ends{Sender: sender, Follower: follower, Arrived: arrived}
	}})
}

func TestWithoutAHistoryPiecesStillCome(t *testing.T) {
	t.Parallel()
	for name, relay := range map[string]func(*testing.T) tokenstest.Ends{
		"since JetStream is not there": func(t *testing.T) tokenstest.Ends {
			s := natstest.StartOptions(t, &server.Options{DontListen: true, NoSigs: true, NoLog: true})
			sender, arrived := open(t, s)
			follower, _ := open(t, s)
			return tokenstest.Ends{Sender: sender, Follower: follower, Arrived: arrived}
		},
		"since the stream is gone": func(t *testing.T) tokenstest.Ends {
			s := natstest.Start(t, false)
			sender, arrived := open(t, s)
			follower, _ := open(t, s)
			nc := natstest.Connect(t, s)
			js, err := jetstream.New(nc)
			if err != nil {
				t.Fatal(err)
			}
			if err := js.DeleteStream(t.Context(), "BATON_TOKENS"); err != nil {
				t.Fatal(err)
			}
			return tokenstest.Ends{Sender: sender, Follower: follower, Arrived: arrived}
		},
		"since none is wanted": func(t *testing.T) tokenstest.Ends {
			s := natstest.Start(t, false)
			nc := natstest.Connect(t, s)
			r := natstokens.Open(nc)
			return tokenstest.Ends{Sender: r, Follower: r, Arrived: func() { _ = nc.Flush() }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokenstest.Run(t, tokenstest.Harness{Open: relay, LiveOnly: true})
		})
	}
}

func TestThatNothingIsKeptIsSaidOnce(t *testing.T) {
	t.Parallel()
	s := natstest.StartOptions(t, &server.Options{DontListen: true, NoSigs: true, NoLog: true})
	nc := natstest.Connect(t, s)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	natstokens.New(t.Context(), nc, js, slog.New(slog.NewTextHandler(&log, nil)))
	if n := strings.Count(log.String(), "cannot be resumed"); n != 1 {
		t.Errorf("said %d times: %s", n, &log)
	}
}

func TestWhatIsNoMessageIDHasNoSubject(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, false)
	r, arrived := open(t, s)
	heard := natstest.Connect(t, s)
	sub, err := heard.SubscribeSync("baton.tokens.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := heard.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", ">", "*", "a.b", "a b", "a\r\nPUB baton.dead 0"} {
		r.Send(id, tokens.Piece{ID: tokens.ID{Attempt: 1}, Text: "x"})
		if err := r.Follow(t.Context(), id, tokens.ID{}, nil, func(tokens.Piece) {}); err == nil {
			t.Errorf("%q can be followed", id)
		}
	}
	arrived()
	if n, _, err := sub.Pending(); err != nil || n != 1 { // the mark that all has arrived
		t.Errorf("%d pieces were sent, %v", n-1, err)
	}
}

func TestAConnectionThatIsClosedCannotBeFollowed(t *testing.T) {
	t.Parallel()
	nc := natstest.Connect(t, natstest.Start(t, false))
	r := natstokens.Open(nc)
	nc.Close()
	r.Send("m", tokens.Piece{ID: tokens.ID{Attempt: 1}, Text: "x"})
	if err := r.Follow(context.Background(), "m", tokens.ID{}, nil, func(tokens.Piece) {}); err == nil {
		t.Error("it says nothing")
	}
}

func BenchmarkRelay(b *testing.B) {
	s := natstest.StartOptions(b, &server.Options{
		JetStream: true, StoreDir: b.TempDir(), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
	})
	dial := func() tokens.Relay { // over a socket, as between processes
		nc, err := nats.Connect(s.ClientURL())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			b.Fatal(err)
		}
		return natstokens.New(b.Context(), nc, js, slog.New(slog.DiscardHandler))
	}
	tokenstest.Benchmark(b, tokenstest.Ends{Sender: dial(), Follower: dial()})
}
