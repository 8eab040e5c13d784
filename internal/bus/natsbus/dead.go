package natsbus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// deadBatch is how many dead letters are read with one request.
const deadBatch = 256

// DeadLetters implements [hop.DeadLetters].
func (b *Bus) DeadLetters(ctx context.Context) iter.Seq2[hop.DeadLetter, error] {
	return func(yield func(hop.DeadLetter, error) bool) {
		for next := uint64(1); ; {
			n := 0
			msgs, err := jetstreamext.GetBatch(ctx, b.js, streamName(events.Dead), deadBatch, jetstreamext.GetBatchSeq(next))
			if err != nil {
				yield(hop.DeadLetter{}, fmt.Errorf("natsbus: dead letters: %w", err))
				return
			}
			for msg, err := range msgs {
				if errors.Is(err, jetstreamext.ErrNoMessages) {
					return
				}
				if err != nil {
					yield(hop.DeadLetter{}, fmt.Errorf("natsbus: dead letters: %w", err))
					return
				}
				n, next = n+1, msg.Sequence+1
				e, err := decode(&nats.Msg{Header: msg.Header, Data: msg.Data})
				if err != nil {
					// A dead letter need be no event of the chain: that may be what it died of.
					e.Data = msg.Data
				}
				if !yield(hop.DeadLetter{Event: e, Key: strconv.FormatUint(msg.Sequence, 10)}, nil) {
					return
				}
			}
			if n == 0 {
				// The end is said with an error of its own: this is a server that stopped answering.
				yield(hop.DeadLetter{}, errors.New("natsbus: dead letters: the server does not answer; there may be more"))
				return
			}
		}
	}
}

// RemoveDeadLetter implements [hop.DeadLetters].
func (b *Bus) RemoveDeadLetter(ctx context.Context, key string) error {
	seq, err := strconv.ParseUint(key, 10, 64)
	if err != nil {
		return fmt.Errorf("natsbus: remove dead letter %q: no sequence number", key)
	}
	s, err := b.js.Stream(ctx, streamName(events.Dead))
	if err != nil {
		return fmt.Errorf("natsbus: remove dead letter %s: %w", key, err)
	}
	if err := s.DeleteMsg(ctx, seq); err != nil {
		// The server has one error for what it cannot delete and for what is not there.
		if _, gone := s.GetMsg(ctx, seq); errors.Is(gone, jetstream.ErrMsgNotFound) {
			return nil
		}
		return fmt.Errorf("natsbus: remove dead letter %s: %w", key, err)
	}
	return nil
}
