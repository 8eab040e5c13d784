package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/bus/sqsbus"
	"baton.dev/baton/internal/hop"
)

type deadCommand struct {
	List    deadListCommand    `cmd:"" help:"List the dead letters, oldest first."`
	Show    deadShowCommand    `cmd:"" help:"Show one with its reason and its whole event."`
	Redrive deadRedriveCommand `cmd:"" help:"Put dead letters back where they died, under the same id."`
}

// deadFlags name the transport whose dead letters are meant.
type deadFlags struct {
	natsFlag
	SQS string `name:"sqs" help:"Start of the queues' URLs, for a chain on SQS." env:"BATON_SQS_URL" placeholder:"URL"`
}

// deadLetters is a transport, as far as dead letters need one.
type deadLetters interface {
	hop.Publisher
	hop.DeadLetters
}

// open connects to the transport.
func (f deadFlags) open(ctx context.Context, c *console) (deadLetters, func(), error) {
	if f.SQS != "" {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("dead: %w", err)
		}
		return sqsbus.New(sqs.NewFromConfig(cfg), sqsbus.Options{URL: f.SQS}), func() {}, nil
	}
	nc, err := natsbus.Connect(ctx, natsbus.ConnectOptions{URL: f.NATS, Name: "baton-dead", Wait: operatorWait, Log: c.log})
	if err != nil {
		return nil, nil, err
	}
	bus, err := natsbus.Open(ctx, nc)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return bus, nc.Close, nil
}

type deadListCommand struct{ deadFlags }

func (d deadListCommand) Run(ctx context.Context, c *console) error {
	bus, done, err := d.open(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tHOP\tREASON\tSINCE\tTRIES\tDETAIL")
	n := 0
	for l, err := range bus.DeadLetters(ctx) {
		if err != nil {
			return err
		}
		n++
		dead := l.Event.Dead
		if dead == nil {
			continue // not written by the chain
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\n",
			l.Event.ID, dead.Hop, dead.Reason, dead.Time.Format(time.RFC3339), l.Event.Tries+1, dead.Detail)
	}
	if n == 0 {
		fmt.Fprintln(c.out, "No dead letters.")
		return nil
	}
	return table.Flush()
}

type deadShowCommand struct {
	deadFlags
	ID string `arg:"" help:"Id of the event."`
}

func (d deadShowCommand) Run(ctx context.Context, c *console) error {
	bus, done, err := d.open(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	found := false
	for l, err := range bus.DeadLetters(ctx) {
		if err != nil {
			return err
		}
		if l.Event.ID != d.ID {
			continue
		}
		found = true
		text, err := whole(l.Event)
		if err != nil {
			return fmt.Errorf("dead show: %w", err)
		}
		fmt.Fprintf(c.out, "%s\n", text)
	}
	if !found {
		return fmt.Errorf("dead show: no dead letter has the id %s", d.ID)
	}
	return nil
}

// whole returns the event as a CloudEvent in JSON, or as much of one as it is: it may have died of being none.
func whole(e events.Event) ([]byte, error) {
	if ce, err := e.CloudEvent(); err == nil {
		return json.MarshalIndent(ce, "", "  ")
	}
	parts := map[string]any{"data_base64": e.Data}
	maps.Insert(parts, e.Attributes())
	return json.MarshalIndent(parts, "", "  ")
}

type deadRedriveCommand struct {
	deadFlags
	IDs []string `arg:"" optional:"" name:"id" help:"Ids of the events."`
	All bool     `help:"Redrive all of them."`
}

func (d deadRedriveCommand) Run(ctx context.Context, c *console) error {
	if d.All == (len(d.IDs) > 0) {
		return errors.New("dead redrive: name the ids to redrive, or --all")
	}
	bus, done, err := d.open(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	began := time.Now()
	var errs []error
	found := map[string]bool{}
	for l, err := range bus.DeadLetters(ctx) {
		if err != nil {
			return err
		}
		if !d.All && !slices.Contains(d.IDs, l.Event.ID) || l.Event.Dead != nil && l.Event.Dead.Time.After(began) {
			continue // another, or one that was redriven just now and died again
		}
		found[l.Event.ID] = true
		if err := redrive(ctx, bus, l); err != nil {
			errs = append(errs, fmt.Errorf("dead redrive: %s: %w", l.Event.ID, err)) // the others need not wait for it
			continue
		}
		fmt.Fprintln(c.out, "redriven", l.Event.ID)
	}
	for _, id := range d.IDs {
		if !found[id] {
			errs = append(errs, fmt.Errorf("dead redrive: no dead letter has the id %s", id))
		}
	}
	return errors.Join(errs...)
}

// redrive stores the event anew and then forgets the dead letter: a crash between the two leaves it listed, and redriving
// it again stores nothing twice.
func redrive(ctx context.Context, bus deadLetters, l hop.DeadLetter) error {
	if err := bus.Publish(ctx, l.Event.Redrive()); err != nil {
		return err
	}
	return bus.RemoveDeadLetter(ctx, l.Key)
}
