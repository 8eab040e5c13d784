package oip

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
)

const (
	connectTimeout = 5 * time.Second
	maxHeaders     = 64 << 10

	// pingEvery is how often a connection with a call on it is pinged that says nothing. gRPC's servers close one that pings
	// more often than every five minutes, the calls on it included (GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS), so
	// that a peer that is gone is found by TCP: by its own probes, and by data that is not acknowledged.
	pingEvery   = 5*time.Minute + 10*time.Second
	pingTimeout = 20 * time.Second // and how long data may go without an acknowledgement (TCP_USER_TIMEOUT)
)

// tcpProbes find a peer that is gone within half a minute.
var tcpProbes = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// connections are those to servers: one for all targets of the same address and TLS.
type connections struct {
	maxAnswer int64

	mu   sync.Mutex
	open map[place]*connection
}

// place is what targets must have in common to share a connection.
type place struct {
	url string
	tls catalog.TLS
}

// connection is one to a server. It is closed when it is retired and nobody uses it.
type connection struct {
	client *grpc.ClientConn
	secure bool
	tls    *tls.Config

	users   int // under the mutex of the connections
	retired bool

	mu     sync.Mutex
	broken error // why the last attempt to connect failed, until one came about
}

// use returns the connection to the target's server, and what is to be called when the call is over. The connection is made
// by the call. One whose server was not reached before is made anew, so that a server that is back is found by the first
// call after it, and not after gRPC's own pause; how often a dead server is called is for the chain to say.
func (p *connections) use(t *catalog.Target, config *tls.Config) (*connection, func(), error) {
	u, err := url.Parse(t.URL)
	if err != nil || u.Host == "" {
		return nil, nil, model.NewError(events.CodeUnreachable, errors.New("its url cannot be used"))
	}
	at := place{u.Scheme + "://" + u.Host, t.TLS}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.open[at]
	if c != nil && (c.tls != config || unusable(c.client.GetState())) {
		p.retire(at, c)
		c = nil
	}
	if c == nil {
		if c, err = p.connect(u, config); err != nil {
			return nil, nil, err
		}
		p.open[at] = c
	}
	c.users++
	return c, func() { p.leave(c) }, nil
}

func unusable(s connectivity.State) bool {
	return s == connectivity.TransientFailure || s == connectivity.Shutdown
}

func (p *connections) leave(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.users--
	if c.users == 0 && c.retired {
		_ = c.client.Close()
	}
}

// retire lets nobody else use the connection. p.mu is held.
func (p *connections) retire(at place, c *connection) {
	delete(p.open, at)
	if c.retired = true; c.users == 0 {
		_ = c.client.Close()
	}
}

// close closes the connections that nobody uses, and the others when their calls are over.
func (p *connections) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at, c := range p.open {
		p.retire(at, c)
	}
}

func (p *connections) connect(u *url.URL, config *tls.Config) (*connection, error) {
	c := &connection{tls: config, secure: u.Scheme == "grpcs"}
	secure := insecure.NewCredentials()
	port := "80"
	if c.secure {
		port = "443"
		if config == nil {
			config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		secure = &watched{credentials.NewTLS(config), c}
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), port)
	}
	// The whole message may be as large as an answer, with room for its tensors' names.
	largest := int(p.maxAnswer) + 64<<10
	client, err := grpc.NewClient("passthrough:///"+host,
		grpc.WithTransportCredentials(secure),
		grpc.WithContextDialer(c.dial),
		grpc.WithUserAgent("baton"),
		grpc.WithNoProxy(),
		// Each call may cost money: neither a client nor what a name server says about it repeats one.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largest)),
		grpc.WithMaxHeaderListSize(maxHeaders),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: connectTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.WithStatsHandler(follower{}),
	)
	if err != nil {
		// The library's words quote the address.
		return nil, model.NewError(events.CodeUnreachable, errors.New("its url cannot be used"))
	}
	c.client = client
	return c, nil
}

func (c *connection) dial(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTimeout, KeepAliveConfig: tcpProbes}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil || !c.secure {
		c.note(err)
	}
	return conn, err
}

func (c *connection) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = err
}

// brokenness returns why there is no connection; of one that was there and broke it knows no more than that.
func (c *connection) brokenness() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken == nil {
		return io.ErrUnexpectedEOF
	}
	return c.broken
}

// watched are TLS credentials that leave word why a handshake failed.
type watched struct {
	credentials.TransportCredentials
	of *connection
}

// ClientHandshake implements [credentials.TransportCredentials].
func (w *watched) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := w.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		w.of.note(err)
		return nil, nil, err
	}
	return &heard{Conn: conn, of: w.of}, info, nil
}

// Clone implements [credentials.TransportCredentials].
func (w *watched) Clone() credentials.TransportCredentials {
	return &watched{w.TransportCredentials.Clone(), w.of}
}

// heard is a connection that leaves word of an alert: with TLS 1.3 a server refuses a client's certificate after the handshake.
// The alert can be lost, where the server closes its end before it has read all.
type heard struct {
	net.Conn
	of *connection

	said bool // the server has said something
}

// Read implements [net.Conn], for one reader.
func (h *heard) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if n > 0 && !h.said {
		h.said = true
		h.of.note(nil)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" { // what crypto/tls calls an alert
		h.of.note(err)
	}
	return n, err
}
