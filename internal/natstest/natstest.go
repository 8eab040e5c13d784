// Package natstest starts real JetStream servers inside a test.
package natstest

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Start starts a JetStream server in this process, with its files in a directory of the test, until the test ends. With
// syncAlways each write waits for the disk.
func Start(t testing.TB, syncAlways bool) *server.Server {
	t.Helper()
	return StartOptions(t, &server.Options{
		JetStream: true, StoreDir: t.TempDir(), DontListen: true, NoSigs: true, NoLog: true, SyncAlways: syncAlways,
	})
}

// StartOptions starts a server with the options, until the test ends.
func StartOptions(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("server is not ready")
	}
	return s
}

// Connect returns a connection to the server, until the test ends.
func Connect(t testing.TB, s *server.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}
