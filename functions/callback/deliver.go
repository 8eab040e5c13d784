package callback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/outbound"
	"baton.dev/baton/internal/webhook"
)

// deliver makes one try at delivering the body and says what becomes of the event.
func (c *Callback) deliver(ctx context.Context, in events.Event, body []byte) error {
	cat := c.catalog()
	signer, err := c.signers.of(cat, in.Tenant)
	if err != nil {
		if errors.Is(err, errNoSigner) {
			return hop.Reject(events.ReasonMisconfigure, err)
		}
		return again(cat.Callbacks.Retries, in, 0, err) // a secret's file may be on its way
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout(cat), errSlow)
	defer cancel()
	if outbound.Is(in.CallbackURL) {
		return c.enqueue(ctx, cat, signer, in, body)
	}
	return c.call(ctx, cat, signer, in, body)
}

// timeout returns how long a receiver has for an answer.
func timeout(cat *catalog.Catalog) time.Duration {
	if cat.Callbacks.Timeout <= 0 {
		return defaultTimeout
	}
	return cat.Callbacks.Timeout
}

// errSlow says that it is the delivery's own time that is up.
var errSlow = errors.New("callback: the delivery took too long")

// ended returns the error of a context that ended for another reason than the delivery's own time: the process drains, or
// its invocation is nearly over. What the delivery came to says nothing then.
func ended(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), errSlow) {
		return nil
	}
	return ctx.Err()
}

// call delivers to a web server.
func (c *Callback) call(
	ctx context.Context, cat *catalog.Catalog, signer *webhook.Signer, in events.Event, body []byte,
) error {
	if t := cat.Tenants[in.Tenant]; t != nil && t.Handshake {
		if err := c.agreed(ctx, cat, t, in); err != nil {
			return err
		}
	}
	answer, err := c.post(ctx, signer, in, body)
	switch {
	case err == nil:
	case ended(ctx) != nil:
		return ended(ctx)
	case refusedForGood(err):
		return hop.Reject(events.ReasonBlocked, err)
	default:
		return again(cat.Callbacks.Retries, in, 0, err)
	}
	verdict := judge(answer.status)
	if verdict == delivered {
		return nil
	}
	err = fmt.Errorf("callback: deliver to %s: status %d", answer.host, answer.status)
	switch verdict {
	case gone:
		return hop.Reject(events.ReasonGone, err)
	case later:
		return again(cat.Callbacks.Retries, in, c.named(answer.retryAfter), err)
	default:
		return again(cat.Callbacks.Retries, in, 0, err)
	}
}

// named returns the delay that a receiver named in its Retry-After header; 0: none.
func (c *Callback) named(retryAfter string) time.Duration {
	d, _ := parseRetryAfter(retryAfter, c.now())
	return d
}
