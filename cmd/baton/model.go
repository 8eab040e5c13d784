package main

import (
	"context"
	"fmt"
	"net"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
	"baton.dev/baton/internal/process"
)

type modelCommand struct {
	Listen   string `help:"Address to listen on." default:"127.0.0.1:8090"`
	Simulate string `help:"How it behaves, as simulate: in a configuration." default:"{}" placeholder:"{p50: 120ms}"`
}

func (m modelCommand) Run(ctx context.Context, c *console) error {
	simulate, err := catalog.ParseSimulate(m.Simulate)
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", m.Listen)
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	fmt.Fprintf(c.out, "model server at http://%s/v1\n", listener.Addr())
	server := process.NewModelServer(simulated.New(simulate))
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); ctx.Err() == nil {
		return fmt.Errorf("model: %w", err)
	}
	return nil
}
