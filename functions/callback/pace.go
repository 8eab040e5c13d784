package callback

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/limit"
)

const (
	// heldAtMost is how long a delivery is put off for its receiver's rate; from then on each time counts as a try that
	// failed, so that what a receiver never has room for ends as a dead letter and not as a load for good.
	heldAtMost = 24 * time.Hour
	// turnAtMost bounds one wait for a turn.
	turnAtMost = 10 * time.Minute
)

// paced returns nil if the receiver's rate has room for the delivery, and otherwise when it is to come again. Of many that
// wait each waits longer from time to time, so that a backlog is not stored anew for each delivery that goes.
func (c *Callback) paced(
	ctx context.Context, cat *catalog.Catalog, a agreement, place, host string, in events.Event,
) error {
	if a.rate == (limit.Rate{}) {
		return nil
	}
	now := c.now()
	answer := c.take(ctx, a, place, now)
	if answer.Allowed {
		return nil
	}
	err := fmt.Errorf("callback: deliver to %s: it has agreed to no more than %.3g a minute", host, agreedTo(a.rate))
	if now.Sub(in.Time) > heldAtMost {
		return again(cat.Callbacks.Retries, in, answer.Next, err)
	}
	turn := hop.Backoff{Base: a.rate.Interval(), Max: max(turnAtMost, a.rate.Interval())}
	return hop.Park(err, now.Add(max(answer.Next, turn.Delay(in.Copy, in.ID))))
}

// take counts a delivery. While what is counted together is away, this process goes by its own count.
func (c *Callback) take(ctx context.Context, a agreement, place string, now time.Time) limit.Answer {
	if c.rates != nil {
		sum := sha256.Sum256([]byte(place)) // a path may be a secret
		if answer, err := c.rates.Take(ctx, "webhook:"+hex.EncodeToString(sum[:16]), a.rate, now); err == nil {
			return answer
		}
	}
	answer, _ := a.used.Take(ctx, "", a.rate, now) // in memory, which cannot fail
	return answer
}

// agreedTo returns how many a minute the rate lets through.
func agreedTo(r limit.Rate) float64 {
	if r.Burst == 1 && r.PerSecond < 4.0/60 {
		return r.PerSecond * 60
	}
	return r.PerSecond*60 + float64(r.Burst)
}
