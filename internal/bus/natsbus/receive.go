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

// drainWait bounds the wait for what the server had sent when a pull is ended: a server that is away answers no drain.
const drainWait = 2 * time.Second

// heartbeat is how often the server says that it still holds a pull: of two that do not come the client makes an error, and
// it must do so before the wait of an idle lane is over, which is none. The client takes no less than half a second.
func heartbeat(wait time.Duration) time.Duration {
	return min(max(wait/4, 500*time.Millisecond), 30*time.Second)
}

// pullBytes bounds what the server sends for one pull: a few messages where they are large, and little beside the 64 MiB that a
// connection which reads too slowly may leave unread.
const pullBytes = 16 << 20

// Receive implements [hop.Source]. It pulls until limit deliveries or half of a pull's bytes were handed out, or the wait is
// over. Then, and when ctx is done, it ends the pull and hands out what the server has sent already, so that nobody waits for
// its lease to run out: what the server finds it cannot deliver any more it hands to the next pull.
func (b *Bus) Receive(ctx context.Context, lane events.Lane, limit int, take func(hop.Delivery)) error {
	c, err := b.consumer(ctx, lane)
	if err != nil {
		return err
	}
	most := int(max(pullBytes, 2*b.js.Conn().MaxPayload()))
	pull, err := c.Messages(
		jetstream.PullMaxMessagesWithBytesLimit(limit, most), jetstream.StopAfter(limit),
		jetstream.PullExpiry(b.opts.Wait), jetstream.PullHeartbeat(heartbeat(b.opts.Wait)),
	)
	if err != nil {
		return fmt.Errorf("natsbus: receive %s: %w", lane, err)
	}
	defer pull.Stop()
	wait, endWait := context.WithTimeout(ctx, b.opts.Wait)
	defer endWait()
	drain, endDrain := context.WithCancel(context.WithoutCancel(ctx))
	defer endDrain()
	defer context.AfterFunc(wait, func() {
		pull.Drain()
		time.AfterFunc(drainWait, endDrain)
	})()
	size := 0
	for came := 0; ; came++ {
		msg, err := pull.Next(jetstream.NextContext(drain))
		switch ended := drain.Err() != nil || errors.Is(err, jetstream.ErrMsgIteratorClosed); {
		case err == nil:
			take(b.delivery(msg))
			if size += len(msg.Data()); size > most/2 {
				pull.Drain() // the caller is to say whether it takes as much again
			}
		case !ended || errors.Is(err, jetstream.ErrConnectionClosed):
			b.forget(lane) // it may be gone
			return fmt.Errorf("natsbus: receive %s: %w", lane, err)
		case came == limit:
			b.keep(lane, c)
			return nil
		case ctx.Err() == nil && !b.js.Conn().IsConnected():
			// Nothing came because nothing could: the lane need not be empty.
			return fmt.Errorf("natsbus: receive %s: %w", lane, nats.ErrDisconnected)
		default:
			if lane.Tenant != "" {
				b.forget(lane)
			}
			return nil
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
