package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/natsbus"
)

// natsFlag names the server of a running chain.
type natsFlag struct {
	NATS string `name:"nats" help:"NATS server of the chain." default:"nats://127.0.0.1:4222" env:"BATON_NATS_URL" placeholder:"URL"`
}

// operatorWait is how long a command waits for a server that ought to be there.
const operatorWait = 3 * time.Second

type watchCommand struct {
	natsFlag
	JSON bool `name:"json" help:"Print each event as a CloudEvent in JSON, a line each."`
}

func (w watchCommand) Run(ctx context.Context, c *console) error {
	nc, err := natsbus.Connect(ctx, natsbus.ConnectOptions{URL: w.NATS, Name: "baton-watch", Wait: operatorWait, Log: c.log})
	if err != nil {
		return err
	}
	defer nc.Close()
	fmt.Fprintln(c.err, "watching", nc.ConnectedUrlRedacted())
	seen, err := natsbus.Watch(ctx, nc)
	if err != nil {
		return err
	}
	for e := range seen {
		if err := w.print(c, e); err != nil {
			return err
		}
	}
	return nil
}

func (w watchCommand) print(c *console, e events.Event) error {
	if !w.JSON {
		fmt.Fprintln(c.out, summary(e))
		return nil
	}
	ce, err := e.CloudEvent()
	if err != nil {
		return err
	}
	line, err := json.Marshal(ce)
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	fmt.Fprintf(c.out, "%s\n", line)
	return nil
}

// summary is an event in a line, without its data: that is the caller's.
func summary(e events.Event) string {
	parts := []string{time.Now().Format("15:04:05.000"), fmt.Sprintf("%-14s", e.Type.Step()), e.Subject, string(e.Priority), e.Model}
	if e.Attempt > 0 {
		parts = append(parts, fmt.Sprintf("attempt %d at %s", e.Attempt, e.Target))
	}
	if e.ErrorCode != "" {
		parts = append(parts, e.ErrorCode)
	}
	if e.Tries > 0 {
		parts = append(parts, fmt.Sprintf("try %d", e.Tries+1))
	}
	if !e.NotBefore.IsZero() {
		parts = append(parts, "not before "+e.NotBefore.Format(time.RFC3339))
	}
	if e.Dead != nil {
		parts = append(parts, fmt.Sprintf("DEAD at %s: %s", e.Dead.Hop, e.Dead.Reason))
	}
	return strings.Join(parts, "  ")
}
