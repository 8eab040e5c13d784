package natsbus

import (
	"context"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go"

	"baton.dev/baton/events"
)

// watched is how many events wait for whoever watches.
const watched = 64 << 10

// Watch yields the events of the chain as they are published, until ctx is done. It listens beside the streams: it costs
// the chain nothing, and what is published while it does not keep up is lost to it alone.
func Watch(ctx context.Context, nc *nats.Conn) (iter.Seq[events.Event], error) {
	published := make(chan *nats.Msg, watched)
	var subs []*nats.Subscription
	stop := func() {
		for _, sub := range subs {
			_ = sub.Unsubscribe()
		}
	}
	// Not all below the prefix: pieces of answers go there, too.
	for _, h := range []events.Hop{events.Schedule, events.Infer, events.Callback, events.Batch, events.Dead} {
		for _, subject := range subjects(h) {
			sub, err := nc.ChanSubscribe(subject, published)
			if err != nil {
				stop()
				return nil, fmt.Errorf("natsbus: watch: %w", err)
			}
			subs = append(subs, sub)
		}
	}
	if err := nc.Flush(); err != nil {
		stop()
		return nil, fmt.Errorf("natsbus: watch: %w", err)
	}
	return func(yield func(events.Event) bool) {
		defer stop()
		for {
			select {
			case msg := <-published:
				if e, err := decode(msg); err == nil && !yield(e) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}, nil
}
