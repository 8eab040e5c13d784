// Package natsbus is the transport over NATS JetStream.
//
// Delivery: at least once, under a lease, which is the consumer's ack wait. An unsettled delivery is handed out again when
// its lease runs out. The number of deliveries is unbounded at the broker, which is known to lose messages that exhaust it
// (nats-server#7817): the runtime writes the dead letter itself and then acknowledges.
// Order: first in, first out within a lane, but for what was delayed, given back or redelivered.
// Delay: no earlier than asked, and up to about a second and a quarter later: a delayed event is a message schedule
// (NATS ADR-51, server 2.12), which waits in the stream and holds no place among the pending of a consumer.
// Size: the server's max_payload (1 MiB by default) over data and attributes, less 4 KiB that are kept for the attributes
// of a dead letter. What is large is received a few at a time.
// Duplicates: an id is stored once within the streams' duplicate window, two minutes by default. A server that restarts
// remembers only the ids of messages that are still stored.
// Dead letters: the stream BATON_DEAD, kept until they are removed.
// Durability: that of the streams. Publish waits for the server's confirmation; what that is worth, against which fault, is
// decided by the server's sync interval and the streams' replicas.
//
// Each hop has a work-queue stream and each lane a durable pull consumer with the lane's subject as its filter, so lanes
// do not wait for each other. Streams are made at start where they are not there, and consumers on first use.
package natsbus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/groupcommit"
)

// Options of the transport. The zero value means the defaults.
type Options struct {
	Replicas  int                   // copies of each stream; default those it has, or 1 where it is made
	Storage   jetstream.StorageType // of streams that are made; default file
	Lease     time.Duration         // of a delivery; default 30s
	Duplicate time.Duration         // how long streams that are made remember a stored id; default 2m
	Wait      time.Duration         // how long a Receive lasts at most, 1s or more; default 20s
	// Together commits publishes that come at the same time in one batch: for a server that syncs always, see
	// [groupcommit].
	Together bool
}

func (o Options) withDefaults() Options {
	if o.Lease == 0 {
		o.Lease = 30 * time.Second
	}
	if o.Duplicate == 0 {
		o.Duplicate = 2 * time.Minute
	}
	if o.Wait == 0 {
		o.Wait = 20 * time.Second
	}
	return o
}

// Bus is the transport over one connection. It is safe for concurrent use. The connection stays its caller's to close.
type Bus struct {
	js     jetstream.JetStream
	opts   Options
	commit *groupcommit.Publisher

	mu        sync.Mutex
	consumers map[events.Lane]jetstream.Consumer
}

// headroom is kept free of an event's size for the attributes it gets as a dead letter.
const headroom = 4 << 10

// pendingCap is the most deliveries of a lane that may be unsettled at once, over all processes.
const pendingCap = 16384

// idleTenant is how long the consumer of a tenant's own lane is kept that nobody asks: longer than a lease, so that what is
// unsettled is not handed out twice at once.
const idleTenant = 5 * time.Minute

// New makes the streams, or brings them to the options, and returns the transport.
func New(ctx context.Context, nc *nats.Conn, o Options) (*Bus, error) {
	o = o.withDefaults()
	js, err := NewJetStream(nc)
	if err != nil {
		return nil, err
	}
	b := &Bus{
		js: js, opts: o, commit: groupcommit.New(js, o.Together),
		consumers: map[events.Lane]jetstream.Consumer{},
	}
	for _, h := range []events.Hop{events.Schedule, events.Infer, events.Callback, events.Batch, events.Dead} {
		if err := EnsureStream(ctx, js, b.streamConfig(h)); err != nil {
			return nil, fmt.Errorf("natsbus: %w", err)
		}
	}
	return b, nil
}

// Open returns the transport over streams that others have made, and changes nothing of them.
func Open(ctx context.Context, nc *nats.Conn) (*Bus, error) {
	js, err := NewJetStream(nc)
	if err != nil {
		return nil, err
	}
	if _, err := js.Stream(ctx, streamName(events.Dead)); err != nil {
		return nil, fmt.Errorf("natsbus: stream %s: %w: no chain has run on this server", streamName(events.Dead), err)
	}
	return &Bus{
		js: js, opts: Options{}.withDefaults(), commit: groupcommit.New(js, false),
		consumers: map[events.Lane]jetstream.Consumer{},
	}, nil
}

// NewJetStream returns the JetStream client with the settings of this package, after it has checked that the server is
// new enough.
func NewJetStream(nc *nats.Conn) (jetstream.JetStream, error) {
	if !nc.IsConnected() {
		return nil, fmt.Errorf("natsbus: not connected to a server: %w", errors.Join(nats.ErrConnectionClosed, nc.LastError()))
	}
	var major, minor int
	version := nc.ConnectedServerVersion()
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil || major < 2 || major == 2 && minor < 12 {
		return nil, fmt.Errorf("natsbus: server %s is too old: 2.12 or newer is needed, for message schedules", version)
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(16384), jetstream.WithPublishAsyncTimeout(30*time.Second))
	if err != nil {
		return nil, fmt.Errorf("natsbus: %w", err)
	}
	return js, nil
}

func (b *Bus) streamConfig(h events.Hop) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name:               streamName(h),
		Subjects:           subjects(h),
		Retention:          jetstream.WorkQueuePolicy,
		Storage:            b.opts.Storage,
		Replicas:           b.opts.Replicas,
		Duplicates:         b.opts.Duplicate,
		AllowMsgSchedules:  true,
		AllowAtomicPublish: true,
		AllowDirect:        true,
	}
	if h == events.Dead {
		c.Retention = jetstream.LimitsPolicy
		c.AllowMsgSchedules = false
	}
	return c
}

// consumer returns the lane's consumer, made if need be.
func (b *Bus) consumer(ctx context.Context, lane events.Lane) (jetstream.Consumer, error) {
	b.mu.Lock()
	c, ok := b.consumers[lane]
	b.mu.Unlock()
	if ok {
		return c, nil
	}
	idle := time.Duration(0)
	if lane.Tenant != "" {
		idle = idleTenant
	}
	c, err := b.js.CreateOrUpdateConsumer(ctx, streamName(lane.Hop), jetstream.ConsumerConfig{
		Durable: consumerName(lane),
		// Tenants come and go: the server forgets the consumer of one that nobody has asked for a while.
		InactiveThreshold: idle,
		FilterSubject:     subject(lane),
		AckPolicy:         jetstream.AckExplicitPolicy,
		AckWait:           b.opts.Lease,
		MaxDeliver:        -1,
		MaxAckPending:     pendingCap,
	})
	if err != nil {
		return nil, fmt.Errorf("natsbus: consumer of %s: %w", lane, err)
	}
	if lane.Tenant == "" {
		b.keep(lane, c)
	}
	return c, nil
}

// keep spares the next Receive of the lane a question to the server. The consumer of a tenant's own lane is kept only from
// one Receive that was filled to the next: tenants without number come and go, and the server may forget the consumer of one
// that is idle, which a pull from it would find out late.
func (b *Bus) keep(lane events.Lane, c jetstream.Consumer) {
	b.mu.Lock()
	b.consumers[lane] = c
	b.mu.Unlock()
}

// forget drops the lane's consumer, to be made anew.
func (b *Bus) forget(lane events.Lane) {
	b.mu.Lock()
	delete(b.consumers, lane)
	b.mu.Unlock()
}
