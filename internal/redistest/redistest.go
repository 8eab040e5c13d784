// Package redistest gives tests a Redis of their own: miniredis in the test's process, which is always there, and a real
// redis-server in a process of its own on the loopback interface, where one is installed.
//
// miniredis runs the same scripts, but has no clock of its own: what expires there expires by FastForward alone.
package redistest

import (
	"errors"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// StartMini returns a client of a miniredis with nothing in it, until the test ends.
func StartMini(t testing.TB) redis.UniversalClient {
	t.Helper()
	return connect(t, miniredis.RunT(t).Addr())
}

// StartServer returns a client of a redis-server with nothing in it, until the test ends. Where none is in PATH the test is
// skipped, or fails if BATON_REQUIRE_REDIS=1. getenv is os.Getenv.
func StartServer(t testing.TB, getenv func(string) string) redis.UniversalClient {
	t.Helper()
	return Launch(t, getenv).Client(t)
}

// Server is a redis-server that a test can kill and start again. It keeps nothing over that. Its methods are for one
// goroutine at a time.
type Server struct {
	Address string // host and port

	path string
	dir  string
	cmd  *exec.Cmd // nil while it is down
}

// Launch starts a redis-server with nothing in it, until the test ends. Where none is in PATH the test is skipped, or fails
// if BATON_REQUIRE_REDIS=1. getenv is os.Getenv.
func Launch(t testing.TB, getenv func(string) string) *Server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	switch {
	case err == nil:
	case getenv("BATON_REQUIRE_REDIS") == "1":
		t.Fatalf("no redis-server to test with, and BATON_REQUIRE_REDIS=1: %v", err)
	default:
		t.Skipf("no redis-server to test with: %v (BATON_REQUIRE_REDIS=1 makes this a failure)", err)
	}
	s := &Server{path: path, dir: t.TempDir()}
	t.Cleanup(s.Kill)
	for range 5 { // another process may take the port between finding and using it
		s.Address = freeAddress(t)
		if err = s.start(t); err == nil {
			return s
		}
	}
	t.Fatalf("redis-server does not start: %v", err)
	return nil
}

// Client returns a client of the server that tries nothing twice, until the test ends.
func (s *Server) Client(t testing.TB) redis.UniversalClient {
	t.Helper()
	return connect(t, s.Address)
}

// Kill ends the server's process at once. One that is down stays down.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Restart starts the server again at the same address, with nothing in it.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	if err := s.start(t); err != nil {
		t.Fatalf("redis-server does not start again: %v", err)
	}
}

// start starts the process and waits until it answers.
func (s *Server) start(t testing.TB) error {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return err
	}
	cmd := exec.Command(s.path, "--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", s.dir)
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	client := redis.NewClient(&redis.Options{Addr: s.Address, MaxRetries: -1, DialerRetries: 1})
	defer func() { _ = client.Close() }()
	for deadline := time.Now().Add(30 * time.Second); ; {
		// Its answer says which process it is: the port may be another server's.
		info, err := client.InfoMap(t.Context(), "server").Result()
		if err == nil && info["Server"]["process_id"] == strconv.Itoa(cmd.Process.Pid) {
			return nil
		}
		if err == nil {
			err = errors.New("another server answers at its address")
		}
		if time.Now().After(deadline) || info != nil {
			s.Kill()
			return err
		}
		<-time.After(5 * time.Millisecond)
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func connect(t testing.TB, address string) redis.UniversalClient {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = client.Close() })
	return client
}
