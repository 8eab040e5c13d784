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

// drainWait bounds the wait for what the server had sent when a Receive is told to stop.
const drainWait = 2 * time.Second

// Receive implements [hop.Source]. It pulls for as long as it takes to hand out limit deliveries. When ctx is done it ends
// the pull and hands out what the server has sent already, so that the caller gives it back and nobody waits for its
// lease to run out.
func (b *Bus) Receive(ctx context.Context, lane events.Lane, limit int, take func(hop.Delivery)) error {
	c, err := b.consumer(ctx, lane)
	if err != nil {
		return err
	}
	pull, err := c.Messages(jetstream.PullMaxMessages(limit), jetstream.StopAfter(limit), jetstream.PullExpiry(b.opts.Wait))
	if err != nil {
		return fmt.Errorf("natsbus: receive %s: %w", lane, err)
	}
	defer pull.Stop()
	cancel := context.AfterFunc(ctx, func() {
		pull.Drain()
		time.AfterFunc(drainWait, pull.Stop) // a server that is away answers no drain
	})
	defer cancel()
	for {
		msg, err := pull.Next()
		switch {
		case err == nil:
			take(b.delivery(msg))
		case errors.Is(err, jetstream.ErrMsgIteratorClosed) && !errors.Is(err, jetstream.ErrConnectionClosed):
			return nil
		default:
			b.forget(lane)
			return fmt.Errorf("natsbus: receive %s: %w", lane, err)
		}
	}
}

func (b *Bus) delivery(msg jetstream.Msg) hop.Delivery {
	d := hop.Delivery{Lease: b.opts.Lease, Settler: settler{msg, b.js.Conn()}}
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
type settler struct {
	msg jetstream.Msg
	nc  *nats.Conn
}

// Ack implements [hop.Settler]. It does not wait for the server: an acknowledgement that is lost repeats the delivery.
func (s settler) Ack(context.Context) error { return s.msg.Ack() }

// Return implements [hop.Settler].
func (s settler) Return(_ context.Context, delay time.Duration) error {
	if delay <= 0 {
		return s.msg.Nak()
	}
	return s.msg.NakWithDelay(delay)
}

// Extend implements [hop.Settler]. While the connection is lost it is an error: what the client keeps for later does not
// reach the server in time.
func (s settler) Extend(context.Context) error {
	if !s.nc.IsConnected() {
		return nats.ErrDisconnected
	}
	return s.msg.InProgress()
}
