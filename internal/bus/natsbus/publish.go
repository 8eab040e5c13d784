package natsbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/groupcommit"
	"baton.dev/baton/internal/hop"
)

// Publish implements [hop.Publisher].
func (b *Bus) Publish(ctx context.Context, out ...events.Event) error {
	var one [1]*groupcommit.Pending // most hops emit one event
	pending := one[:0]
	var errs []error
	for i := range out {
		p, err := b.start(&out[i])
		if err != nil {
			errs = append(errs, fmt.Errorf("natsbus: publish %s: %w", out[i].ID, err))
			break
		}
		pending = append(pending, p)
	}
	for i, p := range pending {
		if err := p.Wait(ctx); err != nil {
			errs = append(errs, fmt.Errorf("natsbus: publish %s: %w", out[i].ID, err))
		}
	}
	return errors.Join(errs...)
}

func (b *Bus) start(e *events.Event) (*groupcommit.Pending, error) {
	lane, err := e.Lane()
	if err != nil {
		return nil, err
	}
	msg := encode(subject(lane), e)
	id := e.StorageID()
	if e.Dead != nil {
		// The dead letter of a copy is another message than the copy itself.
		id += "~dead"
	}
	msg.Header[jetstream.MsgIDHeader] = []string{id}
	if !e.NotBefore.IsZero() && time.Until(e.NotBefore) > 0 {
		delay(msg, lane.Hop, id, e.NotBefore)
	}
	limit := int(b.js.Conn().MaxPayload())
	switch {
	case e.Dead != nil:
	case e.Copy > 0:
		limit -= headroom / 2 // a copy has grown a little, and must fit where the event it copies did
	default:
		limit -= headroom
	}
	if size := msg.Size(); size > limit {
		return nil, fmt.Errorf("%w: %d bytes with its attributes, limit %d", hop.ErrTooLarge, size, limit)
	}
	return b.commit.Start(streamName(lane.Hop), msg)
}

// delay makes msg a schedule (NATS ADR-51): it waits on a subject of its own, and at the given time the server stores it
// on the subject it was meant for.
func delay(msg *nats.Msg, h events.Hop, id string, at time.Time) {
	msg.Header["Nats-Schedule"] = []string{"@at " + at.UTC().Format(time.RFC3339Nano)}
	msg.Header["Nats-Schedule-Target"] = []string{msg.Subject}
	msg.Subject = laterSubject(h, id)
}
