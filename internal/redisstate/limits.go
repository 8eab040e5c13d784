package redisstate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/limit"
)

// Limits implements [limit.Store] with a key for each tenant. It is safe for concurrent use.
//
// Of the stores in this package it is the one that goes by Redis's own clock and not the caller's: its script is that of
// redis_rate, which asks TIME. So processes whose clocks differ share one rate; a clock that is not real cannot use it.
type Limits struct {
	limiter *redis_rate.Limiter
}

// NewLimits returns the store over the client, which stays its caller's to close.
func NewLimits(client redis.UniversalClient) *Limits {
	return &Limits{redis_rate.NewLimiter(ownKeys{client})}
}

// Take implements [limit.Store]. It takes no notice of the time.
func (l *Limits) Take(ctx context.Context, key string, r limit.Rate, _ time.Time) (limit.Answer, error) {
	// One request an interval, and not so many a second: a rate may be a fraction.
	res, err := l.limiter.Allow(ctx, tagged("limit", key), redis_rate.Limit{Rate: 1, Period: r.Interval(), Burst: r.Quota()})
	if err != nil {
		return limit.Answer{}, fmt.Errorf("limits: take of %s: %w", key, err)
	}
	return r.Answer(res.Allowed > 0, res.ResetAfter), nil
}

// ownKeys takes away what redis_rate puts before every key, so that all keys of the chain begin alike.
type ownKeys struct{ redis.UniversalClient }

const foreign = "rate:"

// Eval implements the part of the client that the scripts use.
func (c ownKeys) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return c.UniversalClient.Eval(ctx, script, own(keys), args...)
}

// EvalSha implements the part of the client that the scripts use.
func (c ownKeys) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return c.UniversalClient.EvalSha(ctx, sha, own(keys), args...)
}

func own(keys []string) []string {
	named := make([]string, len(keys))
	for i, k := range keys {
		named[i] = strings.TrimPrefix(k, foreign)
	}
	return named
}
