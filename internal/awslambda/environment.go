package awslambda

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"baton.dev/baton/internal/process"
)

// environment is what the variables say. README.md has the table of them.
type environment struct {
	config   string
	sqsURL   string
	logLevel slog.Level
}

// bundled is where Lambda unpacks the baton.yaml of a zip file.
const bundled = "/var/task/baton.yaml"

// readEnvironment reads the variables and reports every fault at once.
func readEnvironment(getenv func(string) string) (environment, error) {
	env := environment{config: getenv("BATON_CONFIG"), sqsURL: getenv("BATON_SQS_URL")}
	if env.config == "" {
		env.config = bundled
	}
	var errs []error
	if u, err := url.Parse(env.sqsURL); env.sqsURL == "" || err != nil || u.Host == "" || len(u.Path) < 2 {
		errs = append(errs, errors.New("BATON_SQS_URL is no URL that the queues' URLs begin with, "+
			"such as https://sqs.eu-central-1.amazonaws.com/123456789012/baton"))
	}
	var err error
	if env.logLevel, err = process.ParseLevel(getenv("BATON_LOG")); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return env, fmt.Errorf("awslambda: environment: %w", err)
	}
	return env, nil
}
