// Command schedule runs the schedule function: on AWS Lambda where Lambda started it, and else as a process of its own, on the
// NATS server that the environment names. README.md lists the variables.
package main

import (
	"os"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/awslambda"
	"baton.dev/baton/internal/process"
)

func main() {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		os.Exit(awslambda.Main(events.Schedule, os.Getenv, os.Stderr))
	}
	os.Exit(process.Main(events.Schedule, os.Getenv, os.Stderr))
}
