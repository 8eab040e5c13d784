package process

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"baton.dev/baton/events"
)

// environment is what the variables say. README.md has the table of them.
type environment struct {
	config     string
	natsURL    string
	natsCreds  string
	natsCA     string
	redisURL   string // empty: each process goes by what it sees itself
	replicas   int
	syncAlways bool
	listen     string
	origin     string
	logLevel   slog.Level
}

// readEnvironment reads the variables and reports every fault at once.
func readEnvironment(getenv func(string) string, function events.Hop) (environment, error) {
	env := environment{
		config: getenv("BATON_CONFIG"), natsURL: getenv("BATON_NATS_URL"), natsCreds: getenv("BATON_NATS_CREDS"),
		natsCA: getenv("BATON_NATS_CA"), listen: getenv("BATON_LISTEN"),
		redisURL: getenv("BATON_REDIS_URL"), origin: getenv("BATON_ORIGIN"),
	}
	var errs []error
	if env.config == "" {
		errs = append(errs, errors.New("BATON_CONFIG is not set: name the baton.yaml to run with"))
	}
	if env.natsURL == "" {
		errs = append(errs, errors.New("BATON_NATS_URL is not set: name the NATS server, such as nats://127.0.0.1:4222"))
	}
	if env.listen == "" && function == events.Ingest {
		env.listen = DefaultListen
	}
	if s := getenv("BATON_NATS_REPLICAS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 5 {
			errs = append(errs, fmt.Errorf("BATON_NATS_REPLICAS is %q: want 1 to 5", s))
		}
		env.replicas = n
	}
	switch s := getenv("BATON_NATS_SYNC"); s {
	case "", "interval":
	case "always":
		env.syncAlways = true
	default:
		errs = append(errs, fmt.Errorf("BATON_NATS_SYNC is %q: want always or interval, as the server is set", s))
	}
	var err error
	if env.logLevel, err = ParseLevel(getenv("BATON_LOG")); err != nil {
		errs = append(errs, err)
	}
	return env, errors.Join(errs...)
}

// DefaultListen is where ingest listens unless it is told otherwise: on this machine only.
const DefaultListen = "127.0.0.1:8080"

// ParseLevel reads the value of BATON_LOG; empty is info.
func ParseLevel(s string) (slog.Level, error) {
	switch s {
	case "debug":
		return slog.LevelDebug, nil
	case "", "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	default:
		return 0, fmt.Errorf("BATON_LOG is %q: want debug, info, warn or error", s)
	}
}
