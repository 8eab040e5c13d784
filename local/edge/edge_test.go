package edge_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"baton.dev/baton/internal/natschain"
	"baton.dev/baton/internal/natstest"
	"baton.dev/baton/local/edge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is a log that hands each of its lines on.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		select {
		case l <- string(line):
		default: // nobody reads any more
		}
	}
	return len(p), nil
}

func config(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "baton.yaml")
	src := `models: {m: {targets: [{name: near, api: openai, url: "http://127.0.0.1:1", edge: true}, {name: cloud, api: simulated}]}}`
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hub starts a server, and returns it with the address of its leaf node listener.
func hub(t *testing.T, o *server.Options) (*server.Server, string) {
	t.Helper()
	o.NoSigs, o.NoLog, o.Host, o.Port = true, true, "127.0.0.1", server.RANDOM_PORT
	o.LeafNode.Host, o.LeafNode.Port = "127.0.0.1", server.RANDOM_PORT
	s := natstest.StartOptions(t, o)
	v, err := s.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, net.JoinHostPort("127.0.0.1", strconv.Itoa(v.LeafNode.Port))
}

// chain makes the streams of a chain on the server.
func chain(t *testing.T, s *server.Server) {
	t.Helper()
	if _, err := natschain.New(t.Context(), natstest.Connect(t, s), natschain.Options{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
}

func TestAnEdgeThatCannotReachItsHubSaysWhy(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		address func(t *testing.T) string
		says    string
	}{
		"nothing listens": {func(t *testing.T) string {
			t.Helper()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			return l.Addr().String()
		}, "no link to the hub: connection refused: nothing listens there"},
		"the listener is that of clients": {func(t *testing.T) string {
			t.Helper()
			s, _ := hub(t, &server.Options{})
			return s.Addr().String()
		}, "no link to the hub: not a leaf node listener: "},
		"credentials are wanted": {func(t *testing.T) string {
			t.Helper()
			_, address := hub(t, &server.Options{LeafNode: server.LeafNodeOpts{Username: "edge", Password: "secret"}})
			return address
		}, "no link to the hub: authorization: "},
		"no chain has run there": {func(t *testing.T) string {
			t.Helper()
			_, address := hub(t, &server.Options{
				JetStream: true, StoreDir: t.TempDir(), JsAccDefaultDomain: map[string]string{server.DEFAULT_GLOBAL_ACCOUNT: ""},
			})
			return address
		}, "there is a link to the hub, and no chain has run there yet"},
		"JetStream is not let through": {func(t *testing.T) string {
			t.Helper()
			s, address := hub(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
			chain(t, s)
			return address
		}, "there is a link to the hub, which keeps its JetStream to itself: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			logged, ended := make(lines, 64), make(chan error, 1)
			go func() {
				ended <- edge.Run(ctx, edge.Options{
					Hub: []string{"nats-leaf://" + tc.address(t)}, Config: config(t),
					Log: slog.New(slog.NewTextHandler(logged, nil)),
				})
			}()
			for found := false; !found; {
				select {
				case line := <-logged:
					found = strings.Contains(line, "level=WARN") && strings.Contains(line, tc.says)
					if !found && strings.Contains(line, "waiting for the hub") {
						t.Fatalf("it says %s", line)
					}
				case err := <-ended:
					t.Fatalf("it ended: %v", err)
				}
			}
			cancel()
			if err := <-ended; !errors.Is(err, edge.ErrNotReached) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

func TestATargetThatIsNotAtTheEdgeIsNamed(t *testing.T) {
	t.Parallel()
	for _, only := range [][]string{{"nope"}, {"near", "cloud"}} {
		err := edge.Run(t.Context(), edge.Options{
			Hub: []string{"nats-leaf://127.0.0.1:1"}, Config: config(t), Only: only, Log: slog.New(slog.DiscardHandler),
		})
		want := strconv.Quote(only[len(only)-1]) + " with edge: true; those it has are: near"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", only, err)
		}
	}
}
