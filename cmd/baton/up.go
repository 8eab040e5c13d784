package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"baton.dev/baton/local"
)

// chainFlags choose the chain that a command runs.
type chainFlags struct {
	Listen     string `help:"Address to listen on." default:"${listen}" env:"BATON_LISTEN"`
	Data       string `help:"Directory to keep everything in, to go on where it stopped; a temporary one if not given." type:"path"`
	Config     string `help:"Configuration to run with, instead of DATA/baton.yaml." type:"existingfile" env:"BATON_CONFIG"`
	NATS       string `name:"nats" help:"NATS server to use instead of an embedded one." placeholder:"URL"`
	NATSListen string `name:"nats-listen" help:"Address of the embedded server; 127.0.0.1:4222 if free." placeholder:"ADDR"`
	LeafListen string `name:"leaf-listen" help:"Address at which edges connect; none if not given." placeholder:"ADDR"`
	Redis      string `help:"Redis in which chains share what is known; without one it stays in this process." placeholder:"URL"`
	Sync       string `help:"When JetStream forces writes to disk: always, or every so often." default:"1s" placeholder:"WHEN"`
}

func (f chainFlags) options(c *console) (local.Options, error) {
	sync, err := local.ParseSync(f.Sync)
	if err != nil {
		return local.Options{}, err
	}
	return local.Options{
		Listen: f.Listen, Data: f.Data, Config: f.Config, NATS: f.NATS, NATSListen: f.NATSListen, LeafListen: f.LeafListen,
		Redis: f.Redis,
		Sync:  sync, Log: c.log, Getenv: c.getenv,
	}, nil
}

type upCommand struct{ chainFlags }

func (u upCommand) Run(ctx context.Context, c *console) error {
	o, err := u.options(c)
	if err != nil {
		return err
	}
	l, err := local.Start(ctx, o)
	if err != nil {
		return err
	}
	models := make([]string, 0, len(l.Catalog().Models))
	for id := range l.Catalog().Models {
		models = append(models, id)
	}
	slices.Sort(models)
	fmt.Fprintf(c.out, "baton is up\n  address   %s\n", l.URL)
	if l.Key != "" {
		fmt.Fprintf(c.out, "  key       %s\n", l.Key)
	}
	redis := l.RedisURL
	if redis == "" {
		redis = "none: what functions share is in this process"
	}
	fmt.Fprintf(c.out, "  models    %s\n  receiver  %s%s\n  data      %s\n  nats      %s\n  redis     %s\n",
		strings.Join(models, ", "), l.URL, local.SinkPath, l.Data, l.NATSURL, redis)
	if l.LeafURL != "" {
		fmt.Fprintf(c.out, "  leaf      %s\n", l.LeafURL)
	}
	fmt.Fprintln(c.out, "Ctrl-C drains and stops it.")
	<-ctx.Done()
	fmt.Fprintln(c.out, "draining")
	l.Stop()
	fmt.Fprintln(c.out, "stopped")
	return nil
}
