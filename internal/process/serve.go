package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// NewServer returns an HTTP server for the handler with the timeouts of the chain: a client that is slow to send or to
// read holds a connection only so long, and a long poll of a minute is answered. A handler that takes longer puts off the
// deadlines of its exchange, as [ingest.Exchange] does.
//
// [ingest.Exchange]: https://pkg.go.dev/baton.dev/baton/functions/ingest#Exchange
func NewServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      90 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// NewModelServer returns an HTTP server for a model, which may take as long for an answer as its callers wait.
func NewModelServer(handler http.Handler) *http.Server {
	s := NewServer(handler)
	s.WriteTimeout = 0
	return s
}

// drainHTTP bounds the wait for requests that are being answered when the process is told to stop.
const drainHTTP = 10 * time.Second

// serve answers HTTP at the address until ctx is done and what was begun is answered.
func serve(ctx context.Context, address string, handler http.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	server := NewServer(handler)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve on %s: %w", address, err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainHTTP)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(fmt.Errorf("drain %s: %w", address, err), server.Close())
	}
	return nil
}
