package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/replay"
)

type replayCommand struct {
	Trace    string   `arg:"" help:"The trace, as baton watch --trace records it; - for the input."`
	Config   string   `help:"The configuration to replay it under." required:"" type:"existingfile" placeholder:"FILE"`
	Baseline string   `help:"The one of the trace's own time, for its prices." type:"existingfile" placeholder:"FILE"`
	Seed     uint64   `help:"Seed of what is drawn; the same seed gives the same report." default:"1"`
	Assume   []string `help:"How a target behaves: NAME=P50,P99,ERRORS. Repeatable." sep:"none" placeholder:"NAME=…"`
	JSON     bool     `name:"json" help:"Print the report as JSON."`
}

func (replayCommand) Help() string {
	return `Runs the arrivals of a recorded trace through the scheduler under another configuration,
in virtual time, and prints what would have changed: latency, failures, attempts, cost, and
each target's part.

  baton watch --trace monday.trace                         record, and stop with Ctrl-C
  baton replay monday.trace --config new.yaml              what if this were the configuration
  baton replay monday.trace --config new.yaml --assume cheap=300ms,1.2s,1%
                                                           with a target that is new

--assume says how a target behaves: its median and 99th percentile and, if any, its share of
errors, as 1% or 0.01. It is needed for a target that the trace does not know, unless that is
simulated. A shadow's calls are in no trace: without it, they are left out of the replay.

How a call goes is what was recorded of its target, of this very request where it was called
there. The replay cannot know what a target's times would be under another load, what was
refused at the door, or what another model would have answered.

Replay under the configuration of the time first: how near the two columns are is how far
to trust the next replay.`
}

func (r replayCommand) Run(ctx context.Context, c *console) error {
	o := replay.Options{Seed: r.Seed, Assume: map[string]replay.Assumption{}}
	for _, text := range r.Assume {
		target, a, err := replay.ParseAssumption(text)
		if err != nil {
			return err
		}
		o.Assume[target] = a
	}
	var err error
	if o.Catalog, err = configuration(r.Config); err != nil {
		return err
	}
	if r.Baseline != "" {
		if o.Baseline, err = configuration(r.Baseline); err != nil {
			return err
		}
	}
	trace, err := r.read(c)
	if err != nil {
		return err
	}
	report, err := replay.Run(ctx, trace, o)
	if err != nil {
		return err
	}
	if !r.JSON {
		return report.WriteText(c.out)
	}
	return printJSON(c.out, report)
}

// read reads the trace.
func (r replayCommand) read(c *console) (*replay.Trace, error) {
	if r.Trace == "-" {
		return replay.Read(c.in)
	}
	f, err := os.Open(r.Trace)
	if err != nil {
		return nil, fmt.Errorf("replay: trace: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	return replay.Read(f)
}

// configuration loads a file. One that is not valid is an error that says where to look.
func configuration(path string) (*catalog.Catalog, error) {
	cat, err := catalog.Load(path)
	if faults, ok := errors.AsType[*catalog.Faults](err); ok {
		return nil, fmt.Errorf("%s is not valid, it has %s:\n%w", path, faults.Count(), faults)
	}
	return cat, err
}

// printJSON prints one JSON object, over several lines.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// lineJSON prints one JSON object in a line.
func lineJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// counted returns a number with its noun: 1 target, 2 targets.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
