package rediscells_test

import (
	"errors"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/results/rediscells"
	"baton.dev/baton/internal/results/resultstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for name, start := range map[string]func(*testing.T) string{
		"miniredis":    func(t *testing.T) string { return miniredis.RunT(t).Addr() },
		"redis-server": startRedis,
	} {
		t.Run(name, func(t *testing.T) {
			// miniredis has no clock of its own
			resultstest.Run(t, resultstest.Harness{Forever: name == "miniredis", Open: func(t *testing.T) (results.Cells, func() results.Cells) {
				address := start(t)
				open := func() results.Cells { return rediscells.New(connect(t, address)) }
				return open(), open
			}})
		})
	}
}

// startRedis starts a real server, where there is one.
func startRedis(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("no redis-server is installed: the cells are tested on miniredis alone")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal("the listener is not of TCP")
	}
	_ = l.Close()
	cmd := exec.Command(path, "--bind", "127.0.0.1", "--port", strconv.Itoa(address.Port), "--save", "", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	client := connect(t, address.String())
	for deadline := time.Now().Add(30 * time.Second); ; {
		if err = client.Ping(t.Context()).Err(); err == nil {
			return address.String()
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not answer: %v", err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func connect(t *testing.T, address string) redis.UniversalClient {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestACellExpiresWhenItsFirstWriterSaid(t *testing.T) {
	server := miniredis.RunT(t)
	cells := rediscells.New(connect(t, server.Addr()))
	now := time.Now()
	server.SetTime(now)
	if _, err := cells.Create(t.Context(), "k", []byte("v"), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	server.FastForward(50 * time.Minute)
	if existing, err := cells.Create(t.Context(), "k", []byte("w"), now.Add(9*time.Hour)); err != nil || string(existing) != "v" {
		t.Errorf("create again: %q, %v", existing, err)
	}
	server.FastForward(11 * time.Minute) // a create that came second must not have kept it longer
	if _, err := cells.Get(t.Context(), "k"); !errors.Is(err, results.ErrNotFound) {
		t.Errorf("get after the retention: %v", err)
	}
}

// A server that is away, or refuses, must not look like one that has no such cell.
func TestAServerInTroubleIsAnErrorAndNotAnEmptyCell(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*miniredis.Miniredis){
		"out of memory": func(m *miniredis.Miniredis) { m.SetError("OOM command not allowed when used memory > 'maxmemory'.") },
		"away":          func(m *miniredis.Miniredis) { m.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			cells := rediscells.New(connect(t, server.Addr()))
			trouble(server)
			if existing, err := cells.Create(t.Context(), "k", []byte("v"), time.Now().Add(time.Hour)); err == nil || existing != nil {
				t.Errorf("create: %q, %v", existing, err)
			}
			if _, err := cells.Get(t.Context(), "k"); err == nil || errors.Is(err, results.ErrNotFound) {
				t.Errorf("get: %v", err)
			}
			if _, _, err := cells.Watch(t.Context(), "k"); err == nil {
				t.Error("watch: no error")
			}
		})
	}
}

func TestAHintComesAfterTheCellCanBeRead(t *testing.T) {
	cells := rediscells.New(connect(t, miniredis.RunT(t).Addr()))
	hint, stop, err := cells.Watch(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if _, err := cells.Create(t.Context(), "k", []byte("v"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-hint:
	case <-time.After(time.Minute):
		t.Fatal("no hint came")
	}
	if _, err := cells.Get(t.Context(), "k"); err != nil {
		t.Errorf("get after the hint: %v", err)
	}
}
