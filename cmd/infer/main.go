// Command infer runs the infer function as a process of its own, on the NATS server that the environment names. README.md
// lists the variables.
package main

import (
	"os"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/process"
)

func main() { os.Exit(process.Main(events.Infer, os.Getenv, os.Stderr)) }
