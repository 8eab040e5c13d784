package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
	"baton.dev/baton/internal/process"
)

type modelCommand struct {
	Listen    string        `help:"Address to listen on." default:"127.0.0.1:8090"`
	P50       time.Duration `name:"p50" help:"Median time to answer." default:"120ms"`
	P99       time.Duration `name:"p99" help:"99th percentile of the time to answer." default:"400ms"`
	ErrorRate float64       `help:"Share of calls that are answered 503, from 0 to 1." default:"0"`
	Tokens    int           `help:"Tokens in an answer." default:"64"`
	Seed      uint64        `help:"Seed of all of it." default:"1"`
}

func (m modelCommand) Run(ctx context.Context, c *console) error {
	if m.P50 < 0 || m.P99 < m.P50 || m.ErrorRate < 0 || m.ErrorRate > 1 || m.Tokens < 0 {
		return errors.New("model: want 0 <= p50 <= p99, an error rate from 0 to 1, and no negative tokens")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", m.Listen)
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	fmt.Fprintf(c.out, "model server at http://%s/v1\n", listener.Addr())
	server := process.NewServer(simulated.New(catalog.Simulate{
		P50: m.P50, P99: m.P99, ErrorRate: m.ErrorRate, Tokens: m.Tokens, Seed: m.Seed,
	}))
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); ctx.Err() == nil {
		return fmt.Errorf("model: %w", err)
	}
	return nil
}
