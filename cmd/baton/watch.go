package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/replay"
)

// natsFlag names the server of a running chain.
type natsFlag struct {
	NATS string `name:"nats" help:"NATS server of the chain." default:"nats://127.0.0.1:4222" env:"BATON_NATS_URL" placeholder:"URL"`
}

// operatorWait is how long a command waits for a server that ought to be there.
const operatorWait = 3 * time.Second

type watchCommand struct {
	natsFlag
	JSON  bool   `name:"json" help:"Print each event as a CloudEvent in JSON, a line each, with its data." xor:"form"`
	Trace string `help:"Record a trace for baton replay in a new FILE; - for the output." placeholder:"FILE" xor:"form"`
}

func (watchCommand) Help() string {
	return `Follows the events of a running chain, a line each, until Ctrl-C. It listens beside the
chain and costs it nothing.

  baton watch                          the events as they are published
  baton watch --trace monday.trace     record what baton replay needs

A trace has the ids of requests, tenants, models and targets, times, tokens and error
codes; never a prompt, an output or an address. It is JSON, a line a step; the package
documentation of internal/replay has the format.`
}

func (w watchCommand) Run(ctx context.Context, c *console) error {
	if w.Trace == "" || w.Trace == "-" {
		return w.watch(ctx, c, c.out)
	}
	// First, so that a name that cannot be is refused whether or not there is a server.
	f, err := newTrace(w.Trace)
	if err != nil {
		return err
	}
	err = w.watch(ctx, c, f)
	if info, failed := f.Stat(); err != nil && failed == nil && info.Size() == 0 {
		err = errors.Join(err, os.Remove(w.Trace)) // it would be in the way of the next try
	}
	return errors.Join(err, f.Close())
}

// newTrace makes the file of a trace.
func newTrace(path string) (*os.File, error) {
	// A file that is there may be a trace that somebody needs, or the middle of one.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("watch: %s is there already: name a new file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("watch: trace: %w", err)
	}
	return f, nil
}

// watch connects, and writes what it sees to out, until there are no more events.
func (w watchCommand) watch(ctx context.Context, c *console, out io.Writer) error {
	nc, err := natsbus.Connect(ctx, natsbus.ConnectOptions{URL: w.NATS, Name: "baton-watch", Wait: operatorWait, Log: c.log})
	if err != nil {
		return err
	}
	defer nc.Close()
	seen, err := natsbus.Watch(ctx, nc)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.err, "watching", nc.ConnectedUrlRedacted())
	if w.Trace != "" {
		return record(out, c, seen)
	}
	for e := range seen {
		if err := w.print(out, e); err != nil {
			return err
		}
	}
	return nil
}

// record writes a trace until there are no more events.
func record(out io.Writer, c *console, seen iter.Seq[events.Event]) error {
	recorder := replay.NewRecorder(out)
	for e := range seen {
		if err := recorder.Record(e); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
	fmt.Fprintf(c.err, "recorded %s of %s\n", counted(recorder.Lines(), "line"), counted(recorder.Requests(), "request"))
	return nil
}

func (w watchCommand) print(out io.Writer, e events.Event) error {
	if !w.JSON {
		fmt.Fprintln(out, summary(e))
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
	fmt.Fprintf(out, "%s\n", line)
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
