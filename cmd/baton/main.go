// Command baton is the operator's tool: it runs a chain on this machine, sends to a running one, watches it, and looks
// after its dead letters.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/redis/go-redis/v9/logging"

	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/process"
)

func main() { os.Exit(start()) }

// start runs the command that the process was started with.
func start() int {
	// net/http logs bytes that a peer sends unasked, past every logger of ours. They are not for a log.
	log.SetOutput(io.Discard)
	logging.Disable() // go-redis's own, which knows no levels
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv)
}

// commands is what baton can do.
type commands struct {
	Up      upCommand      `cmd:"" help:"Run the whole chain in one process, until Ctrl-C."`
	Demo    demoCommand    `cmd:"" help:"Run the chain, send three requests through it and verify their callbacks."`
	Edge    edgeCommand    `cmd:"" help:"Run infer alone beside a model in another place, over one outward connection."`
	Send    sendCommand    `cmd:"" help:"Send one request to a running chain."`
	Watch   watchCommand   `cmd:"" help:"Follow the events of a running chain."`
	Dead    deadCommand    `cmd:"" help:"List, show, redrive and forget dead letters."`
	Replay  replayCommand  `cmd:"" help:"Say what a recorded trace would have come to under another configuration."`
	Spend   spendCommand   `cmd:"" help:"Sum what was spent, and show how budgets stand."`
	Model   modelCommand   `cmd:"" help:"Run one simulated OpenAI-compatible model server."`
	Check   checkCommand   `cmd:"" help:"Say what is wrong with a configuration."`
	Keygen  keygenCommand  `cmd:"" help:"Make a key and a webhook secret for a tenant."`
	Version versionCommand `cmd:"" help:"Print the version."`

	Log string `help:"What is logged: debug, info, warn or error." env:"BATON_LOG" default:"info"`
}

// console is what a command talks through.
type console struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	log      *slog.Logger
}

// errSaid is an error that the command has said itself, on its output.
var errSaid = errors.New("said")

// run runs the command and returns the exit status: 0, 1 if it did not succeed, or 2 if it was not understood.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) (status int) {
	var cmds commands
	// Kong ends the process for --help; here that is an exit status like any other.
	type exit int
	defer func() {
		if v := recover(); v != nil {
			code, ok := v.(exit)
			if !ok {
				panic(v)
			}
			status = int(code)
		}
	}()
	parser, err := kong.New(&cmds,
		kong.Name("baton"),
		kong.Description("Carries requests to large language models along a durable chain, and delivers their results."),
		kong.Writers(stdout, stderr), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.Vars{"listen": process.DefaultListen},
	)
	if err != nil {
		fmt.Fprintf(stderr, "baton: %v\n", err)
		return 2
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "baton: %v\nbaton --help lists the commands.\n", err)
		return 2
	}
	level, err := process.ParseLevel(cmds.Log)
	if err != nil {
		fmt.Fprintf(stderr, "baton: %v\n", err)
		return 2
	}
	c := &console{in: stdin, out: stdout, err: stderr, getenv: getenv}
	c.log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	command.BindTo(ctx, (*context.Context)(nil))
	switch err := command.Run(c); {
	case err == nil:
		return 0
	case errors.Is(err, errSaid):
		return 1
	default:
		fmt.Fprintf(stderr, "baton: %v\n", err)
		return 1
	}
}

type versionCommand struct{}

func (versionCommand) Run(c *console) error {
	_, err := fmt.Fprintln(c.out, "baton", chain.Version())
	return err
}
