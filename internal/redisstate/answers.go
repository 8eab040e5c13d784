package redisstate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/answers"
)

// Answers implements [answers.Store] with two keys for each key of an answer: baton:answer:{key} holds the value, and
// baton:flight:{key} who leads. It is safe for concurrent use.
type Answers struct {
	client redis.UniversalClient
}

var _ answers.Store = (*Answers)(nil)

// NewAnswers returns the store over the client, which stays its caller's to close.
func NewAnswers(client redis.UniversalClient) *Answers { return &Answers{client} }

// leadFlight makes ARGV[1] the leader for ARGV[2] milliseconds, unless there is an answer or another leads.
var leadFlight = redis.NewScript(`
if redis.call('EXISTS', KEYS[2]) == 1 then return '' end
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then return leader end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
`)

// landFlight ends the lead of ARGV[1].
var landFlight = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)

// Get implements [answers.Store].
func (a *Answers) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := a.client.Get(ctx, tagged("answer", key)).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, answers.ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("answers: get %s: %w", key, err)
	default:
		return value, nil
	}
}

// Put implements [answers.Store].
func (a *Answers) Put(ctx context.Context, key string, value []byte, _ time.Time, ttl time.Duration) error {
	if err := a.client.Do(ctx, "SET", tagged("answer", key), value, "PX", millis(ttl)).Err(); err != nil {
		return fmt.Errorf("answers: put %s: %w", key, err)
	}
	return nil
}

// Lead implements [answers.Store].
func (a *Answers) Lead(ctx context.Context, key, holder string, _ time.Time, ttl time.Duration) (string, error) {
	leader, err := leadFlight.Run(ctx, a.client, []string{tagged("flight", key), tagged("answer", key)}, holder, millis(ttl)).Text()
	if err != nil {
		return "", fmt.Errorf("answers: lead %s: %w", key, err)
	}
	return leader, nil
}

// Land implements [answers.Store].
func (a *Answers) Land(ctx context.Context, key, holder string) error {
	if err := landFlight.Run(ctx, a.client, []string{tagged("flight", key)}, holder).Err(); err != nil {
		return fmt.Errorf("answers: land %s: %w", key, err)
	}
	return nil
}
