package natsbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/events"
)

// ConnectOptions says which server, and who asks.
type ConnectOptions struct {
	URL       string                     // nats://host:port, or several separated by commas; ignored in process
	InProcess nats.InProcessConnProvider // an embedded server, instead of URL
	Creds     string                     // credentials file; empty: none
	CA        string                     // file with the authorities that the server is verified by; empty: the system's
	Name      string                     // of the connection, as the server shows it
	Wait      time.Duration              // how long a first connection is tried for; default 30s, for a server that comes up late
	Log       *slog.Logger               // required
}

// Connect connects to the server, and keeps reconnecting for as long as the connection is not closed. The first connection
// is given up when ctx is done.
func Connect(ctx context.Context, o ConnectOptions) (*nats.Conn, error) {
	if o.Wait == 0 {
		o.Wait = 30 * time.Second
	}
	where, err := redacted(o)
	if err != nil {
		return nil, err
	}
	opts := []nats.Option{
		nats.Name(o.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.RetryOnFailedConnect(true),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Log.Warn("broker connection lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { o.Log.Info("broker connection is back") }),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			if s != nil {
				o.Log.Warn("broker reports an error", "subject", s.Subject, "error", err)
				return
			}
			o.Log.Warn("broker reports an error", "error", err)
		}),
	}
	if o.InProcess != nil {
		opts = append(opts, nats.InProcessServer(o.InProcess))
	}
	if o.Creds != "" {
		opts = append(opts, nats.UserCredentials(o.Creds))
	}
	if o.CA != "" {
		opts = append(opts, nats.RootCAs(o.CA))
	}
	nc, err := nats.Connect(o.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("natsbus: connect: %w", err)
	}
	if !nc.IsConnected() {
		o.Log.Info("waiting for the broker", "url", where)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	if err := nc.FlushWithContext(ctx); err != nil {
		if last := nc.LastError(); last != nil {
			err = last
		}
		nc.Close()
		return nil, fmt.Errorf("natsbus: connect to %s: %w", where, err)
	}
	return nc, nil
}

// redacted returns the server's address without credentials, or what is wrong with it.
func redacted(o ConnectOptions) (string, error) {
	if o.InProcess != nil {
		return "the embedded server", nil
	}
	var where []string
	for server := range strings.SplitSeq(o.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(server))
		if err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return "", errors.New("natsbus: connect: the server's URL is none: want nats://host:port, or several separated by commas")
		}
		u.User = nil
		where = append(where, u.String())
	}
	return strings.Join(where, ","), nil
}

// closeWait bounds the wait for a server that may be away.
const closeWait = 2 * time.Second

// Close closes the connection after the server has read what was sent on it: acknowledgements, which nobody waits for,
// among it. Those that are lost repeat their deliveries.
func Close(nc *nats.Conn) {
	_ = nc.FlushTimeout(closeWait)
	nc.Close()
}

// JetStream returns the client that the transport uses.
func (b *Bus) JetStream() jetstream.JetStream { return b.js }

// readyWait bounds the question whether the server answers.
const readyWait = 2 * time.Second

// Ready returns an error while JetStream does not answer for the stream that requests are stored in.
func (b *Bus) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	if _, err := b.js.Stream(ctx, streamName(events.Schedule)); err != nil {
		return fmt.Errorf("natsbus: JetStream does not answer: %w", err)
	}
	return nil
}
