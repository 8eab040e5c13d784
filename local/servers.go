package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/redisstate"
	"baton.dev/baton/internal/shared"
)

// Sync is when the embedded JetStream forces writes to disk. The zero value is every second.
type Sync struct {
	Always   bool          // before each write is confirmed
	Interval time.Duration // otherwise
}

// ParseSync reads "always" or a duration.
func ParseSync(s string) (Sync, error) {
	if s == "always" {
		return Sync{Always: true}, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return Sync{}, fmt.Errorf("sync %q: want always, or a duration such as 1s", s)
	}
	return Sync{Interval: d}, nil
}

// natsListen is where the embedded server listens, so that other commands find it.
const natsListen = "127.0.0.1:4222"

// maxPayload is the size of messages that the embedded server takes: the most that NATS does not warn of, for results with
// many embeddings.
const maxPayload = 8 << 20

// openNATS connects to the server that o names, or to one that it starts.
// Pieces of answers have a connection of their own.
func (l *Local) openNATS(ctx context.Context, o Options) (nc, pieces *nats.Conn, err error) {
	connect := natsbus.ConnectOptions{URL: o.NATS, Name: "baton-local", Log: o.Log}
	l.NATSURL = o.NATS
	if o.NATS == "" {
		s, err := l.startNATS(ctx, o)
		if err != nil {
			return nil, nil, err
		}
		connect.InProcess = s
		l.NATSURL = s.ClientURL()
	}
	for _, to := range []struct {
		name string
		conn **nats.Conn
	}{{"baton-local", &nc}, {"baton-local-tokens", &pieces}} {
		connect.Name = to.name
		if *to.conn, err = natsbus.Connect(ctx, connect); err != nil {
			return nil, nil, err
		}
		l.onStop(func() { natsbus.Close(*to.conn) })
	}
	return nc, pieces, nil
}

// startNATS starts the embedded server on the data directory.
func (l *Local) startNATS(ctx context.Context, o Options) (*server.Server, error) {
	host, port, err := natsAddress(ctx, o.NATSListen)
	if err != nil {
		return nil, err
	}
	if o.Sync.Interval == 0 {
		o.Sync.Interval = time.Second
	}
	opts := &server.Options{
		ServerName: "baton-local", Host: host, Port: port, NoSigs: true, MaxPayload: maxPayload,
		JetStream: true, StoreDir: filepath.Join(l.Data, "nats"), SyncInterval: o.Sync.Interval, SyncAlways: o.Sync.Always,
	}
	if err := leafOptions(opts, o.LeafListen); err != nil {
		return nil, err
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("local: nats server: %w", err)
	}
	s.SetLoggerV2(natsLog{o.Log}, false, false, false)
	l.onStop(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		return nil, errors.New("local: nats server is not ready after 30s; the log has its reason")
	}
	if port := opts.LeafNode.Port; o.LeafListen != "" {
		if v, err := s.Varz(nil); err == nil {
			port = v.LeafNode.Port
		}
		l.LeafURL = "nats-leaf://" + net.JoinHostPort(opts.LeafNode.Host, strconv.Itoa(port))
	}
	return s, nil
}

// leafOptions makes the server take the connections of edges at the address. The names of JetStream's own subjects go over them
// as they are.
func leafOptions(opts *server.Options, address string) error {
	if address == "" {
		return nil
	}
	host, service, err := net.SplitHostPort(address)
	port, notNumber := strconv.Atoi(service)
	if err != nil || notNumber != nil {
		return fmt.Errorf("local: leaf address %q: want host:port", address)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	opts.LeafNode = server.LeafNodeOpts{Host: host, Port: port}
	opts.JsAccDefaultDomain = map[string]string{server.DEFAULT_GLOBAL_ACCOUNT: ""}
	return nil
}

// natsAddress returns where the embedded server listens: at the address, or at the usual one, or a free port beside it.
func natsAddress(ctx context.Context, address string) (host string, port int, err error) {
	usual := address == ""
	if usual {
		address = natsListen
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("local: nats address %q: want host:port", address)
	}
	if port, err = strconv.Atoi(service); err != nil {
		return "", 0, fmt.Errorf("local: nats address %q: port is no number", address)
	}
	probe, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil && !usual {
		return "", 0, fmt.Errorf("local: nats address: %w", err)
	}
	if err != nil || port == 0 {
		port = server.RANDOM_PORT
	}
	if probe != nil {
		_ = probe.Close()
	}
	return host, port, nil
}

// openStores opens what the functions share: in the Redis that o names, or in this process, which runs them all and so needs
// none. On a NATS server that others may use too, nothing is shared without a Redis.
func (l *Local) openStores(o Options) error {
	switch {
	case o.Redis == "" && o.NATS == "":
		l.stores = shared.Memory()
		return nil
	case o.Redis == "":
		return nil
	}
	u, err := url.Parse(o.Redis)
	if err != nil || u.Host == "" || u.Scheme != "redis" && u.Scheme != "rediss" {
		return errors.New("local: redis URL: want redis://host:port or rediss://host:port")
	}
	client, err := redisstate.Open(o.Redis, redisstate.Options{})
	if err != nil {
		return fmt.Errorf("local: redis: %w", err)
	}
	l.onStop(func() { _ = client.Close() })
	l.RedisURL, l.stores = u.Redacted(), redisstate.Stores(client)
	return nil
}

// natsLog hands the embedded server's log on. What it says in the ordinary course is for debugging here.
type natsLog struct{ log *slog.Logger }

func (n natsLog) Noticef(format string, v ...any) { n.say(slog.LevelDebug, format, v) }
func (n natsLog) Warnf(format string, v ...any) {
	if strings.Contains(format, "default_js_domain") {
		return // that the option may go one day is said in docs/adr/0010, and is no news for who starts a chain
	}
	n.say(slog.LevelWarn, format, v)
}
func (n natsLog) Fatalf(format string, v ...any) { n.say(slog.LevelError, format, v) }
func (n natsLog) Errorf(format string, v ...any) { n.say(slog.LevelError, format, v) }
func (n natsLog) Debugf(format string, v ...any) { n.say(slog.LevelDebug, format, v) }
func (n natsLog) Tracef(format string, v ...any) { n.say(slog.LevelDebug, format, v) }

func (n natsLog) say(level slog.Level, format string, v []any) {
	n.log.Log(context.Background(), level, "nats server", "said", fmt.Sprintf(format, v...))
}
