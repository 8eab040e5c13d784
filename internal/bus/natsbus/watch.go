package natsbus

import (
	"context"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go"

	"baton.dev/baton/events"
)

// Watch yields the events of the chain as they are published, until ctx is done. It listens beside the streams: it costs
// the chain nothing, and what is published while it does not keep up is lost to it alone.
func Watch(ctx context.Context, nc *nats.Conn) (iter.Seq[events.Event], error) {
	sub, err := nc.SubscribeSync(subjectPrefix + ">")
	if err != nil {
		return nil, fmt.Errorf("natsbus: watch: %w", err)
	}
	if err := nc.Flush(); err != nil {
		return nil, fmt.Errorf("natsbus: watch: %w", err)
	}
	return func(yield func(events.Event) bool) {
		defer func() { _ = sub.Unsubscribe() }()
		for {
			msg, err := sub.NextMsgWithContext(ctx)
			if err != nil {
				return
			}
			if e, err := decode(msg); err == nil && !yield(e) {
				return
			}
		}
	}, nil
}
