package awslambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/redis/go-redis/v9/logging"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/sqsbus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/objects/s3objects"
	"baton.dev/baton/internal/outbound"
	"baton.dev/baton/internal/outbound/sqsout"
	"baton.dev/baton/internal/redisstate"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/results/rediscells"
	"baton.dev/baton/internal/shared"
	"baton.dev/baton/internal/tokens"
)

// Main serves the function's invocations until Lambda ends the process. It returns, with the exit status, only when the
// function cannot be served.
func Main(function events.Hop, getenv func(string) string, stderr io.Writer) int {
	// net/http logs bytes that a peer sends unasked, past every logger of ours. They are not for a log. What the client of
	// the Runtime API would log, this package logs itself, and Lambda that a process has ended.
	log.SetOutput(io.Discard)
	logging.Disable() // go-redis's own, which knows no levels
	handler, err := newHandler(context.Background(), function, getenv, stderr)
	if err != nil {
		slog.New(slog.NewJSONHandler(stderr, nil)).Error("cannot start", "function", string(function), "error", err)
		return 1
	}
	lambda.StartWithOptions(handler)
	return 1
}

// deliveries is how often SQS may hand out a message without an outcome. It must be below the queues' maxReceiveCount, so
// that the dead letter has its reason. Most of them are no fault of the message: throttling, and waiting for a results
// store that is away, which the pauses between them bridge for about three hours.
const deliveries = 50

// maxIdle is how long a connection to Redis may have been idle to be used again: less than the 350 s after which AWS's
// networks forget it without a word, as happens to a process that Lambda froze.
const maxIdle = time.Minute

// dialTimeout is how long connecting to Redis may take. The smallest function has a tenth of a core, and TLS is most of it.
const dialTimeout = 2 * time.Second

// newHandler makes what serves the function's invocations: a handler as package lambda takes it.
func newHandler(ctx context.Context, function events.Hop, getenv func(string) string, stderr io.Writer) (any, error) {
	env, err := readEnvironment(getenv)
	if err != nil {
		return nil, err
	}
	logger := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: env.logLevel})).With("function", string(function))
	configured, err := loadConfiguration(env.config, function == events.Callback, logger)
	if err != nil {
		return nil, err
	}
	for _, w := range configured.catalog().Warnings() {
		logger.Warn("configuration has a warning", "what", w)
	}
	account, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("awslambda: AWS configuration: %w", err)
	}
	held := newSecrets(getenv, secretsmanager.NewFromConfig(account), logger)
	url, err := held.resolve("env:BATON_REDIS_URL")
	if err != nil {
		return nil, err
	}
	redis, err := redisstate.Open(url, redisstate.Options{MaxIdle: maxIdle, DialTimeout: dialTimeout})
	if err != nil {
		return nil, fmt.Errorf("awslambda: BATON_REDIS_URL: %w", err)
	}
	kept := results.New(rediscells.New(redis))
	known, err := shared.New(shared.Config{
		Stores: redisstate.Stores(redis), Catalog: configured.catalog, Results: kept, Log: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("awslambda: %w", err)
	}
	p := parts{
		function: function, env: env, log: logger, catalog: configured.catalog, secrets: held.resolve, shared: known,
		queues: sqs.NewFromConfig(account), results: kept,
		objects: openObjects(account, env.objects), tokens: redisstate.NewTokens(redis),
		ready: func(ctx context.Context) error { return redis.Ping(ctx).Err() },
	}
	logger.Info("started", "version", chain.Version())
	return p.handler()
}

// openObjects returns what keeps objects at the place, or nil where that is nowhere. It asks nothing of S3.
func openObjects(account aws.Config, at place) objects.Store {
	if at.bucket == "" {
		return nil
	}
	client := s3.NewFromConfig(account, func(o *s3.Options) {
		o.UsePathStyle = o.BaseEndpoint != nil // it is no AWS, where each bucket has a host of its own
	})
	return s3objects.New(client, s3objects.Options{Bucket: at.bucket, Prefix: at.prefix})
}

// parts is what a function's handler is made of.
type parts struct {
	function events.Hop
	env      environment
	log      *slog.Logger
	catalog  func() *catalog.Catalog
	secrets  func(catalog.Secret) (string, error)
	queues   *sqs.Client
	results  *results.Store
	objects  objects.Store // nil: none are kept
	tokens   tokens.Relay  // nil: nobody reads along
	shared   *shared.State
	ready    func(context.Context) error
}

func (p parts) handler() (any, error) {
	bus := sqsbus.New(p.queues, sqsbus.Options{URL: p.env.sqsURL})
	whole := chain.Config{
		Bus: bus, Results: p.results, Catalog: p.catalog, Secrets: p.secrets, Log: p.log, Ready: p.ready, Shared: p.shared,
		Objects: p.objects, Tokens: p.tokens, Queues: outbound.Routes{outbound.SQS: sqsout.New(p.queues, p.env.sqsURL)},
	}
	switch p.function {
	case events.Ingest:
		d, err := p.door(whole)
		if err != nil {
			return nil, err
		}
		return logged(p.log, d.handle), nil
	case events.Infer:
		whole.Models = &models{Models: chain.NewClients(p.secrets, 0, p.log), log: p.log, now: time.Now}
	default:
	}
	c, err := p.consumer(whole, p.function)
	if err != nil {
		return nil, err
	}
	if p.shared != nil && p.function != events.Callback {
		c.sync = p.shared.Sync
	}
	return logged(p.log, c.handle), nil
}

// consumer returns what works the batches of a hop's queues.
func (p parts) consumer(whole chain.Config, h events.Hop) (*consumer, error) {
	f, err := whole.Function(h)
	if err != nil {
		return nil, err
	}
	f.Limits.Deliveries = deliveries
	processor, err := hop.NewProcessor(hop.ProcessorConfig{
		Hop: h, Handler: f.Handler, Publisher: whole.Bus, Limits: f.Limits, Log: p.log,
	})
	if err != nil {
		return nil, err
	}
	return &consumer{hop: h, processor: processor, catalog: p.catalog, client: p.queues, base: p.env.sqsURL, now: time.Now}, nil
}

// logged decodes the invocation's event, and logs what is an error of the invocation, which Lambda counts but does not log.
func logged[In, Out any](
	logger *slog.Logger, handle func(context.Context, In) (Out, error),
) func(context.Context, json.RawMessage) (Out, error) {
	return func(ctx context.Context, payload json.RawMessage) (Out, error) {
		var in In
		var out Out
		err := json.Unmarshal(payload, &in)
		if err != nil {
			err = errors.New("awslambda: the event is not of the kind that this function takes")
		} else {
			out, err = handle(ctx, in)
		}
		if err != nil {
			logger.Error("invocation failed", "error", err)
		}
		return out, err
	}
}
