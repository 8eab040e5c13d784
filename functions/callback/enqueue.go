package callback

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/outbound"
	"baton.dev/baton/internal/webhook"
)

// Queues delivers to what is no web server. [outbound.Routes] is one. It is called from many goroutines at once.
type Queues interface {
	// Deliver returns once the message is stored there. Its error shows nothing of the message.
	Deliver(ctx context.Context, to outbound.Destination, m outbound.Message) error
}

// enqueue delivers to a queue. What the configuration allows is asked again: an event may have waited since it was accepted,
// or be redriven, and meanwhile the tenant may have lost the queue.
func (c *Callback) enqueue(
	ctx context.Context, cat *catalog.Catalog, signer *webhook.Signer, in events.Event, body []byte,
) error {
	to, err := outbound.Parse(in.CallbackURL)
	if err != nil {
		return hop.Reject(events.ReasonBlocked, fmt.Errorf("callback: the callback url %w", err))
	}
	fault := func(err error) error { return fmt.Errorf("callback: deliver to %s: %w", to, err) }
	if t := cat.Tenants[in.Tenant]; t == nil || !t.MayCallQueue(to.String()) {
		return hop.Reject(events.ReasonBlocked, fault(errors.New("the tenant's callbacks may not go there")))
	}
	if c.queues == nil {
		return hop.Reject(events.ReasonMisconfigure, fault(outbound.ErrNotConfigured))
	}
	m := outbound.Message{
		ID: in.ID, Subject: in.Subject, Attributes: map[string]string{}, Webhook: http.Header{}, Data: body,
	}
	for name, value := range in.Attributes() {
		if _, ok := sent[name]; ok {
			m.Attributes[name] = events.Text(value)
		}
	}
	if err := signer.Sign(m.Webhook, in.ID, c.now(), body); err != nil {
		return again(cat.Callbacks.Retries, in, 0, fmt.Errorf("callback: %w", err))
	}
	err = c.queues.Deliver(ctx, to, m)
	switch {
	case err == nil:
		return nil
	case ended(ctx) != nil:
		return ended(ctx)
	case errors.Is(err, outbound.ErrNotConfigured):
		return hop.Reject(events.ReasonMisconfigure, fault(err))
	case errors.Is(err, outbound.ErrRefused):
		return hop.Reject(events.ReasonBlocked, fault(err))
	case errors.Is(err, outbound.ErrTooLarge):
		return hop.Reject(events.ReasonTooLarge, fault(err))
	default:
		return again(cat.Callbacks.Retries, in, 0, fault(err))
	}
}
