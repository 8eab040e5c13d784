package redisstate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/answers"
)

// Answers implements [answers.Store]. It is safe for concurrent use. Of each key of an answer it keeps
//
//	baton:answer:{key}   the value, and before it until when it is good: microseconds, in 16 digits
//	baton:leaders:{key}  a sorted set of who leads, each by until when, in microseconds
//	baton:width:{key}    how many may lead at once, and before it until when they may
//
// Redis lets go of them by its own clock, and what they say themselves is read by the caller's.
type Answers struct {
	client redis.UniversalClient
}

var _ answers.Store = (*Answers)(nil)

// NewAnswers returns the store over the client, which stays its caller's to close.
func NewAnswers(client redis.UniversalClient) *Answers { return &Answers{client} }

// untilDigits is how many the time has that is before a value: enough until the year 2286.
const untilDigits = 16

// The scripts say what [answers.Memory] says in Go. Times are in microseconds, which a number of Lua's holds exactly, and
// expiries in milliseconds.
var (
	// widthOf returns how many may lead by what is kept of that, at the time.
	widthOf = `
local function widthOf(kept, now)
  local ends, width = string.match(kept or '', '^(%d+) (%d+)$')
  if ends and tonumber(ends) > now then return tonumber(width) end
  return 1
end
`

	// leadFlight: KEYS are leaders, answer and width; ARGV holder, now, until, expiry and everyone.
	leadFlight = redis.NewScript(widthOf + `
local now = tonumber(ARGV[2])
local good = tonumber(redis.call('GETRANGE', KEYS[2], 0, 15))
if good and good > now then return '' end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  local width = widthOf(redis.call('GET', KEYS[3]), now)
  if width >= tonumber(ARGV[5]) then return ARGV[1] end
  local full = redis.call('ZCARD', KEYS[1]) >= width
  if full then return redis.call('ZRANGE', KEYS[1], 0, 0)[1] end;
end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return ARGV[1]
`)

	// widenFlight: KEYS are leaders and width; ARGV holder, now, width, until, expiry and everyone.
	widenFlight = redis.NewScript(widthOf + `
local now, width = tonumber(ARGV[2]), tonumber(ARGV[3])
local led = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
if width < tonumber(ARGV[6]) and not (led and tonumber(led) > now) then return 0 end
if widthOf(redis.call('GET', KEYS[2]), now) > width then return 0 end
redis.call('SET', KEYS[2], ARGV[4] .. ' ' .. ARGV[3], 'PX', ARGV[5])
return 1
`)
)

// Get implements [answers.Store].
func (a *Answers) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := a.client.Get(ctx, tagged("answer", key)).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, answers.ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("answers: get %s: %w", key, err)
	case len(value) < untilDigits:
		return nil, answers.ErrNotFound // which is none of ours
	default:
		return value[untilDigits:], nil
	}
}

// Put implements [answers.Store].
func (a *Answers) Put(ctx context.Context, key string, value []byte, now time.Time, ttl time.Duration) error {
	text := append(fmt.Appendf(make([]byte, 0, untilDigits+len(value)), "%0*d", untilDigits, now.Add(ttl).UnixMicro()), value...)
	if err := a.client.Do(ctx, "SET", tagged("answer", key), text, "PX", millis(ttl)).Err(); err != nil {
		return fmt.Errorf("answers: put %s: %w", key, err)
	}
	return nil
}

// Lead implements [answers.Store].
func (a *Answers) Lead(ctx context.Context, key, holder string, now time.Time, ttl time.Duration) (string, error) {
	leader, err := leadFlight.Run(ctx, a.client, []string{tagged("leaders", key), tagged("answer", key), tagged("width", key)},
		holder, now.UnixMicro(), now.Add(ttl).UnixMicro(), millis(ttl), answers.Everyone).Text()
	if err != nil {
		return "", fmt.Errorf("answers: lead %s: %w", key, err)
	}
	return leader, nil
}

// Land implements [answers.Store].
func (a *Answers) Land(ctx context.Context, key, holder string) error {
	if err := a.client.ZRem(ctx, tagged("leaders", key), holder).Err(); err != nil {
		return fmt.Errorf("answers: land %s: %w", key, err)
	}
	return nil
}

// Widen implements [answers.Store].
func (a *Answers) Widen(ctx context.Context, key, holder string, width int, now time.Time, ttl time.Duration) error {
	err := widenFlight.Run(ctx, a.client, []string{tagged("leaders", key), tagged("width", key)},
		holder, now.UnixMicro(), width, now.Add(ttl).UnixMicro(), millis(ttl), answers.Everyone).Err()
	if err != nil {
		return fmt.Errorf("answers: widen %s: %w", key, err)
	}
	return nil
}
