// Package natsintake takes in requests from subjects of NATS: baton.in.TENANT for each tenant whose configuration says so.
//
// A stream of JetStream, BATON_IN, stores what is published there, so a sender that waits for its confirmation loses
// nothing. A message is a CloudEvent in binary mode (CloudEvents NATS binding 1.0: headers ce-NAME), one in structured mode,
// or a request by itself. Where nothing in it names the request, its Nats-Msg-Id does, and without one its place in the
// stream.
//
// Delivery: at least once, under a lease. A message is acknowledged once its request is stored.
// Order: none is promised.
// Size: the server's max_payload; what is over the configuration's limit of a body is refused.
// Tenants: each has a consumer of its own, so that none waits behind another's. Who may publish to which subject is for the
// server's accounts and permissions to say: what is published to baton.in.TENANT is that tenant's. What is published for a
// tenant that takes none is confirmed all the same, and waits in the stream until it does, or somebody removes it: the log says
// so every minute, see [Kind.Unseen].
package natsintake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/intake"
)

// Stream is the name of the stream, and Prefix what its subjects begin with before the tenant's name.
const (
	Stream = "BATON_IN"
	Prefix = "baton.in."
)

// Options of the door. The zero value means the defaults.
type Options struct {
	Replicas int                   // copies of the stream; default those it has, or 1 where it is made
	Storage  jetstream.StorageType // of a stream that is made; default file
	Lease    time.Duration         // of a delivery; default 1m
}

const (
	// pendingCap is the most messages of a tenant that are unsettled at once, over all processes: those that wait for another
	// try are among them.
	pendingCap = 512
	// pulled is how many messages wait in this process.
	pulled = 64
	// drainWait bounds the wait for what the server had sent when a pull is ended.
	drainWait = 2 * time.Second
	// wait is how long one pull lasts.
	wait = 20 * time.Second
)

// Kind is the kind of door. It implements [intake.Kind].
type Kind struct {
	js   jetstream.JetStream
	opts Options

	mu   sync.Mutex
	made bool // the stream is there
}

// New returns the kind, over a connection that stays its caller's to close. The stream is made when the first place is opened.
func New(js jetstream.JetStream, o Options) *Kind {
	if o.Lease == 0 {
		o.Lease = time.Minute
	}
	return &Kind{js: js, opts: o}
}

// Name implements [intake.Kind].
func (k *Kind) Name() string { return "nats" }

// Places implements [intake.Kind].
func (k *Kind) Places(c *catalog.Catalog) []intake.Place {
	var all []intake.Place
	for name, t := range c.Tenants {
		if t.Intake.NATS && !strings.Contains(name, ".") { // which the configuration's reader refuses, too
			all = append(all, intake.Place{Tenant: name, Where: Prefix + name})
		}
	}
	return all
}

// Unseen implements [intake.Watcher].
func (k *Kind) Unseen(ctx context.Context, c *catalog.Catalog) (map[string]uint64, error) {
	stream, err := k.js.Stream(ctx, Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return map[string]uint64{}, nil // nothing is confirmed
	}
	if err != nil {
		return nil, fmt.Errorf("natsintake: stream %s: %w", Stream, err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(Prefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("natsintake: subjects of %s: %w", Stream, err)
	}
	waiting := map[string]uint64{}
	for subject, n := range info.State.Subjects {
		waiting[strings.TrimPrefix(subject, Prefix)] = n
	}
	for _, p := range k.Places(c) {
		delete(waiting, p.Tenant)
	}
	return waiting, nil
}

// Open implements [intake.Kind]. It makes the stream and the tenant's consumer where they are not there.
func (k *Kind) Open(ctx context.Context, p intake.Place) (intake.Source, error) {
	if err := k.ensure(ctx); err != nil {
		return nil, fmt.Errorf("natsintake: %w", err)
	}
	c, err := k.js.CreateOrUpdateConsumer(ctx, Stream, jetstream.ConsumerConfig{
		Durable: "in-" + p.Tenant, FilterSubject: p.Where, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: k.opts.Lease, MaxDeliver: -1, MaxAckPending: pendingCap,
	})
	if err != nil {
		if errors.Is(err, jetstream.ErrStreamNotFound) { // somebody removed it
			k.mu.Lock()
			k.made = false
			k.mu.Unlock()
		}
		return nil, fmt.Errorf("natsintake: consumer of %s: %w", p.Where, err)
	}
	return &source{c}, nil
}

// ensure makes the stream, once for all places.
func (k *Kind) ensure(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.made {
		return nil
	}
	err := natsbus.EnsureStream(ctx, k.js, jetstream.StreamConfig{
		Name: Stream, Subjects: []string{Prefix + "*"}, Retention: jetstream.WorkQueuePolicy,
		Storage: k.opts.Storage, Replicas: k.opts.Replicas, AllowDirect: true,
	})
	k.made = err == nil
	return err
}

// source is one tenant's subject.
type source struct{ consumer jetstream.Consumer }

// Close implements [intake.Source]. The connection is not the source's.
func (s *source) Close() {}

// Run implements [intake.Source].
func (s *source) Run(ctx context.Context, take func(intake.Delivery)) error {
	pull, err := s.consumer.Messages(jetstream.PullMaxMessages(pulled), jetstream.PullExpiry(wait), jetstream.PullHeartbeat(wait/4))
	if err != nil {
		return fmt.Errorf("natsintake: receive: %w", err)
	}
	defer pull.Stop()
	drain, endDrain := context.WithCancel(context.WithoutCancel(ctx))
	defer endDrain()
	defer context.AfterFunc(ctx, func() {
		pull.Drain()
		time.AfterFunc(drainWait, endDrain) // a server that is away answers no drain
	})()
	for {
		msg, err := pull.Next(jetstream.NextContext(drain))
		switch {
		case err == nil:
			take(delivery(msg))
		case drain.Err() != nil, ctx.Err() != nil && errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return nil
		default:
			return fmt.Errorf("natsintake: receive: %w", err)
		}
	}
}

func delivery(msg jetstream.Msg) intake.Delivery {
	d := intake.Delivery{Arrival: arrival(msg.Headers(), msg.Data()), Where: msg.Subject(), Settler: settler{msg}}
	meta, err := msg.Metadata()
	if err != nil {
		return d
	}
	d.Number = int(min(meta.NumDelivered, 1<<30))
	if d.ID == "" {
		// A stream that is made anew counts from 1 again: the time tells its messages from those before.
		d.ID = fmt.Sprintf("nats %s %d %s", meta.Stream, meta.Sequence.Stream, meta.Timestamp.UTC().Format(time.RFC3339Nano))
	}
	return d
}

// arrival reads a message. Header names are matched whatever their case, and values are decoded where they are encoded: the
// official SDK writes neither as the binding says.
func arrival(h nats.Header, data []byte) ingest.Arrival {
	a := ingest.Arrival{Data: data}
	attributes := map[string]string{}
	for header, values := range h {
		if len(values) == 0 {
			continue
		}
		name := strings.ToLower(header)
		attribute, ok := strings.CutPrefix(name, "ce-")
		switch {
		case ok:
			attributes[attribute] = events.DecodeHeader(values[0])
		case name == "content-type":
			a.ContentType = values[0]
		case name == "traceparent":
			a.TraceParent = values[0]
		case name == "tracestate":
			a.TraceState = values[0]
		case name == "nats-msg-id" && values[0] != "":
			a.ID = "nats id " + values[0]
		}
	}
	if attributes["specversion"] != "" {
		a.Attributes = attributes
	}
	return a
}

// settler settles a message.
type settler struct{ msg jetstream.Msg }

// Ack implements [intake.Settler]. It does not wait for the server: an acknowledgement that is lost repeats the message.
func (s settler) Ack(context.Context) error { return s.msg.Ack() }

// Return implements [intake.Settler].
func (s settler) Return(_ context.Context, delay time.Duration) error {
	if delay <= 0 {
		return s.msg.Nak()
	}
	return s.msg.NakWithDelay(delay)
}
