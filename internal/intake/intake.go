// Package intake takes in requests by other doors than HTTP: a subject of NATS, a queue of SQS, a topic of Kafka, each of a
// tenant by the configuration. What comes there goes through the same door as an HTTP request, and what becomes of it is
// decided here alone, for all of them:
//
//	accepted                          the request is stored, and then the message is settled
//	it may pass: the rate, a full     the message is given back, for as long as the door asks for and longer each time; it
//	queue, a deadline that would be   stays where it is, so the pressure is the sender's to see
//	missed, a store that is away
//	it will never be taken            a dead letter with the door's reason is stored, and then the message is settled
//
// A kind of door is a [Kind]: it says which places there are by the configuration, and opens them. The kinds are package
// natsintake, package sqsintake and package kafkaintake. Who may write to a place is for its broker to say.
//
// # Crashes
//
// A message is settled only after its request, or its dead letter, is stored. A crash before that repeats the message, and
// since its request's id is made from what names the message, the repeat is the same request: it is run once.
package intake

import (
	"context"
	"log/slog"
	"time"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/problem"
)

// Door takes in requests. A [*ingest.Server] is one. It is called from many goroutines at once.
type Door interface {
	TakeEvent(ctx context.Context, tenant *catalog.Tenant, a ingest.Arrival) (ingest.Receipt, *problem.Problem)
}

// Delivery is one message that was handed out.
type Delivery struct {
	ingest.Arrival
	Where  string // it came from, for logs and dead letters: a subject, a queue, or a topic with partition and offset
	Number int    // how often it was handed out, from 1; 0 where that is not known
	Settler
}

// Settler settles one message. After either call, neither has an effect. An error means that the message comes again.
type Settler interface {
	// Ack says that the message need not come again.
	Ack(ctx context.Context) error
	// Return gives the message back, to be handed out again after the delay at the earliest.
	Return(ctx context.Context, delay time.Duration) error
}

// Place is where messages of one tenant wait. It is comparable: a place that changes is another one.
type Place struct {
	Tenant string
	Where  string // what else tells it from others of its kind
}

// Kind is a kind of door. It is safe for concurrent use.
type Kind interface {
	Name() string // nats, sqs or kafka
	// Places returns the places that there are by the configuration.
	Places(c *catalog.Catalog) []Place
	// Open makes ready to receive from the place. What it returns is closed by its caller.
	Open(ctx context.Context, p Place) (Source, error)
}

// Source hands out what waits at a place.
type Source interface {
	// Run hands each message to take, which waits while there is no room, and may be called from many goroutines. It returns
	// nil when ctx is done, and an error when the broker cannot be reached; whatever it has received by then is handed out
	// before. Messages are settled later, too, until Close.
	Run(ctx context.Context, take func(Delivery)) error
	// Close releases what the source holds, after its last message was settled or given up.
	Close()
}

// Config is what a [Taker] is made of. All fields but those marked are required.
type Config struct {
	Door      Door
	Publisher hop.Publisher           // stores dead letters
	Catalog   func() *catalog.Catalog // the configuration in force
	Kinds     []Kind                  // the doors that are opened by Run
	Log       *slog.Logger
	AtOnce    int              // messages of one place that are taken in at once; default 64
	Observe   func(Taken)      // if set, is called after each message, from many goroutines
	Follow    time.Duration    // how often the configuration is looked at; default 1s
	Look      time.Duration    // how often it is looked for what waits unseen, see [Watcher]; default 1m
	Again     hop.Backoff      // between tries of one message; default 1s up to 1m
	Now       func() time.Time // default time.Now
}

// Taker takes messages in. It is safe for concurrent use.
type Taker struct{ cfg Config }

// New returns a taker.
func New(cfg Config) *Taker {
	if cfg.AtOnce <= 0 {
		cfg.AtOnce = 64
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Taken) {}
	}
	if cfg.Follow <= 0 {
		cfg.Follow = time.Second
	}
	if cfg.Look <= 0 {
		cfg.Look = time.Minute
	}
	if cfg.Again == (hop.Backoff{}) {
		cfg.Again = hop.Backoff{Base: time.Second, Max: time.Minute}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Taker{cfg}
}
