package sqsbus

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// headroom is kept free of an event's size for the attributes it gets as a dead letter: a detail of 1 KiB, of which JSON may
// escape each character in six, and the others.
const headroom = 8 << 10

// Publish implements [hop.Publisher]. Where one of the events cannot be sent, none is.
func (b *Bus) Publish(ctx context.Context, out ...events.Event) error {
	urls := make([]string, len(out))
	messages := make([]message, len(out))
	for i, e := range out {
		var err error
		if urls[i], messages[i], err = b.message(e); err != nil {
			return fmt.Errorf("sqsbus: publish %s: %w", e.ID, err)
		}
	}
	pending := make([]*entry[message], 0, len(out))
	for first := 0; first < len(out); {
		last := first + 1 // those for one queue go together, where they stand together
		for last < len(out) && urls[last] == urls[first] {
			last++
		}
		pending = append(pending, b.queue(urls[first]).messages.join(messages[first:last]...)...)
		first = last
	}
	var errs []error
	for i, p := range pending {
		if err := p.wait(ctx); err != nil {
			if _, missing := errors.AsType[*types.QueueDoesNotExist](err); missing {
				err = fmt.Errorf("%w: %w", hop.ErrNoLane, err)
			}
			errs = append(errs, fmt.Errorf("sqsbus: publish %s: %w", out[i].ID, err))
		}
	}
	return errors.Join(errs...)
}

// message returns the event as a message, and the URL of the queue it belongs in.
func (b *Bus) message(e events.Event) (url string, m message, err error) {
	lane, err := e.Lane()
	if err != nil {
		return "", message{}, err
	}
	m.tenant = groupID(e.Tenant)
	if m.body, err = Encode(e); err != nil {
		return "", message{}, err
	}
	limit := b.opts.MaxBytes
	if e.Dead == nil {
		limit -= headroom
	}
	if size := m.size(); size > limit {
		return "", message{}, fmt.Errorf("%w: %d bytes with its attributes, limit %d", hop.ErrTooLarge, size, limit)
	}
	if !e.NotBefore.IsZero() {
		m.delay = seconds(min(e.NotBefore.Sub(b.now()), maxDelay))
	}
	return QueueURL(b.opts.URL, lane), m, nil
}

// groupID returns the tenant as a message group, which has up to 128 printable ASCII characters. Nobody is a group whose
// name is not: it then shares the queue with all others that have none.
func groupID(tenant string) string {
	if len(tenant) > 128 {
		return ""
	}
	for _, c := range []byte(tenant) {
		if c <= ' ' || c > '~' {
			return ""
		}
	}
	return tenant
}
