package natsbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ConnectOptions says which server, and who asks.
type ConnectOptions struct {
	URL       string                     // nats://host:port, or several separated by commas; ignored in process
	InProcess nats.InProcessConnProvider // an embedded server, instead of URL
	Creds     string                     // credentials file; empty: none
	CA        string                     // file with the authorities that the server is verified by; empty: the system's
	Name      string                     // of the connection, as the server shows it
	Log       *slog.Logger               // required
}

// connectWait is how long a first connection is tried for: a function may be started a little before its server.
const connectWait = 30 * time.Second

// Connect connects to the server, and keeps reconnecting for as long as the connection is not closed.
func Connect(o ConnectOptions) (*nats.Conn, error) {
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
	ctx, cancel := context.WithTimeout(context.Background(), connectWait)
	defer cancel()
	if err := nc.FlushWithContext(ctx); err != nil {
		err = errors.Join(err, nc.LastError())
		nc.Close()
		return nil, fmt.Errorf("natsbus: connect: no server answered within %v: %w", connectWait, err)
	}
	return nc, nil
}

// JetStream returns the client that the transport uses.
func (b *Bus) JetStream() jetstream.JetStream { return b.js }

// readyWait bounds the question whether the server answers.
const readyWait = 2 * time.Second

// Ready returns an error while the server does not answer.
func (b *Bus) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	if err := b.js.Conn().FlushWithContext(ctx); err != nil {
		return fmt.Errorf("natsbus: server does not answer: %w", err)
	}
	return nil
}
