package main

import (
	"context"
	"errors"
	"fmt"

	"baton.dev/baton/local/edge"
)

// edgeCommand runs infer alone, beside a model in another place.
type edgeCommand struct {
	Hub    []string `help:"Leaf node listeners of the hub: nats-leaf://host:7422." required:"" placeholder:"URL" env:"BATON_HUB"`
	Config string   `help:"Configuration, the same as the hub's." required:"" type:"existingfile" env:"BATON_CONFIG"`
	Target []string `help:"Serve this target; all that are marked edge: true if none is named." placeholder:"NAME"`
	Creds  string   `help:"Credentials file for the hub." type:"existingfile" env:"BATON_NATS_CREDS"`
	CA     string   `name:"ca" help:"Authorities that the hub is verified by." type:"existingfile" env:"BATON_NATS_CA"`
}

func (e edgeCommand) Run(ctx context.Context, c *console) error {
	err := edge.Run(ctx, edge.Options{
		Hub: e.Hub, Creds: e.Creds, CA: e.CA, Config: e.Config, Only: e.Target, Log: c.log, Getenv: c.getenv,
		Started: func() { fmt.Fprintln(c.out, "edge is up") },
	})
	if ctx.Err() != nil && errors.Is(err, edge.ErrNotReached) {
		return nil // it was told to stop before the link was there
	}
	return err
}
