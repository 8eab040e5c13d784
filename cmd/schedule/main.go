// Command schedule runs the schedule function as a process of its own, on the NATS server that the environment names. README.md
// lists the variables.
package main

import (
	"os"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/process"
)

func main() { os.Exit(process.Main(events.Schedule, os.Getenv, os.Stderr)) }
