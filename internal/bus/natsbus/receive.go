package natsbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// Receive implements [hop.Source].
func (b *Bus) Receive(ctx context.Context, lane events.Lane, limit int, take func(hop.Delivery)) error {
	c, err := b.consumer(ctx, lane)
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, b.opts.Wait)
	defer cancel()
	batch, err := c.Fetch(limit, jetstream.FetchContext(wait))
	if err != nil {
		return fmt.Errorf("natsbus: receive %s: %w", lane, err)
	}
	for msg := range batch.Messages() {
		take(b.delivery(msg))
	}
	err = batch.Error()
	switch {
	case err == nil, errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil
	default:
		b.forget(lane)
		return fmt.Errorf("natsbus: receive %s: %w", lane, err)
	}
}

func (b *Bus) delivery(msg jetstream.Msg) hop.Delivery {
	d := hop.Delivery{Lease: b.opts.Lease, Settler: settler{msg}}
	meta, err := msg.Metadata()
	if err == nil {
		d.Number = int(min(meta.NumDelivered, 1<<30))
	}
	raw := nats.Msg{Header: msg.Headers(), Data: msg.Data()}
	d.Event, d.Err = decode(&raw)
	if d.Err != nil {
		d.Event.Data = msg.Data()
		if d.Event.ID == "" && meta != nil {
			d.Event.ID = fmt.Sprintf("%s-%d", meta.Stream, meta.Sequence.Stream)
		}
	}
	return d
}

// settler settles a message. Its calls reach the server's connection in order, and the server applies the first.
type settler struct{ msg jetstream.Msg }

// Ack implements [hop.Settler]. It does not wait for the server: an acknowledgement that is lost repeats the delivery.
func (s settler) Ack(context.Context) error { return s.msg.Ack() }

// Return implements [hop.Settler].
func (s settler) Return(_ context.Context, delay time.Duration) error {
	if delay <= 0 {
		return s.msg.Nak()
	}
	return s.msg.NakWithDelay(delay)
}

// Extend implements [hop.Settler].
func (s settler) Extend(context.Context) error { return s.msg.InProgress() }
