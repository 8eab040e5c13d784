// Package limit is how many requests a tenant may submit a second, over all processes that take them in.
//
// The limit is a tenant's and not a key's: while a tenant rotates its keys two are valid at once, and its rate is not to
// double for that. It is the generic cell rate algorithm (ITU-T I.371, as a virtual scheduling algorithm): the burst may go
// at once, and what follows goes at the rate; a request that is refused costs nothing.
//
// What the tenants have used is shared through a [Store]. While that is away each process goes on with what it let through
// itself: a tenant then has its rate at each of them.
package limit

import (
	"context"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"baton.dev/baton/internal/catalog"
)

// Rate is what a tenant may do.
type Rate struct {
	PerSecond float64 // more than 0
	Burst     int     // at once, after a time of rest; less than 1 counts as 1
}

// Of returns the tenant's rate, or false where it has none and may do what it likes.
func Of(t *catalog.Tenant) (Rate, bool) {
	return Rate{t.Rate, t.Burst}, t.Rate > 0
}

// Bounds of the time between two requests at the rate: below, clocks and floating point no longer tell them apart; above, it
// is no matter.
const (
	shortest = time.Microsecond
	longest  = 100 * 365 * 24 * time.Hour
)

// Interval returns the time between two requests at the rate.
func (r Rate) Interval() time.Duration {
	return time.Duration(min(max(1e9/r.PerSecond, float64(shortest)), float64(longest)))
}

// Quota returns how many requests may go at once.
func (r Rate) Quota() int { return max(r.Burst, 1) }

// Answer is what a limit says of one request.
type Answer struct {
	Allowed   bool
	Rate      Rate
	Remaining int           // how many more may go at once
	Next      time.Duration // until one more than that may go
}

// rounding is how much of a request floating point may be wrong by.
const rounding = 1e-4

// Answer returns the answer to a request after which the tenant will be as if it had never asked in the given time, if it
// asks no more: what both stores know, from which follows the rest.
func (r Rate) Answer(allowed bool, rest time.Duration) Answer {
	interval, quota := r.Interval().Seconds(), float64(r.Quota())
	owed := rest.Seconds() / interval // requests that the rate has yet to make good
	a := Answer{Allowed: allowed, Rate: r}
	next := owed + 1 - quota
	if allowed {
		a.Remaining = int(max(math.Floor(quota-owed+rounding), 0))
		next = owed + 1 - math.Ceil(owed-rounding)
	}
	a.Next = seconds(max(next, 0) * interval)
	return a
}

// seconds returns a duration of so many seconds, or the longest there is.
func seconds(s float64) time.Duration {
	if s >= math.MaxInt64/1e9 {
		return math.MaxInt64
	}
	return time.Duration(s * 1e9)
}

// Store keeps what was used under each key. It must be safe for concurrent use.
type Store interface {
	// Take lets one request through, or says when it would. The rate is that of the configuration in force: another one
	// than before goes on with what was used. The time is the caller's, unless the store's own is the better one.
	Take(ctx context.Context, key string, r Rate, now time.Time) (Answer, error)
}

// Config is what a [Limiter] is made of.
type Config struct {
	Store Store            // nil: this process alone
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // says when the store went away and came back; nil: nothing is logged
}

// Limiter answers for the rates of tenants. It is safe for concurrent use.
type Limiter struct {
	cfg   Config
	local *Memory
	away  atomic.Bool
}

// New returns a limiter.
func New(cfg Config) *Limiter {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Limiter{cfg: cfg, local: NewMemory()}
}

// Take counts one request of the tenant and says whether it may go on. The second result is false for a tenant without a
// rate, of which nothing is counted.
func (l *Limiter) Take(ctx context.Context, t *catalog.Tenant) (Answer, bool) {
	r, ok := Of(t)
	if !ok {
		return Answer{Allowed: true}, false
	}
	// What the store lets through counts here too, so that the store's absence grants no second burst.
	if l.cfg.Store != nil {
		a, err := l.cfg.Store.Take(ctx, t.Name, r, l.cfg.Now())
		l.note(ctx, err)
		if err == nil {
			if a.Allowed {
				l.local.take(t.Name, r, l.cfg.Now())
			}
			return a, true
		}
	}
	return l.local.take(t.Name, r, l.cfg.Now()), true
}

// note logs the store's going and coming, once each.
func (l *Limiter) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // the caller is gone, which says nothing of the store
	}
	switch {
	case err != nil && l.away.CompareAndSwap(false, true):
		l.cfg.Log.Warn("rates are counted by each process alone", "error", err)
	case err == nil && l.away.CompareAndSwap(true, false):
		l.cfg.Log.Info("rates are counted together again")
	default:
	}
}
