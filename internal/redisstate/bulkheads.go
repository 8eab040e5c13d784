package redisstate

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/bulkhead"
)

// Bulkheads is a [bulkhead.Store]: for each target three sorted sets of ids, by a time in microseconds. It is safe for
// concurrent use.
//
//	inside   until when each id has its place
//	waiting  when each id that was not let in asked first
//	asked    when it asked last
type Bulkheads struct {
	client redis.UniversalClient
}

var _ bulkhead.Store = (*Bulkheads)(nil)

// NewBulkheads returns a store of places over the client, which stays the caller's.
func NewBulkheads(client redis.UniversalClient) *Bulkheads { return &Bulkheads{client} }

// The scripts say what [bulkhead.Memory] says in Go. A key lasts as long as the longest of what is in it.
var (
	enterBulkhead = redis.NewScript(`
local inside, waiting, asked = KEYS[1], KEYS[2], KEYS[3]
local id, limit, now, untl, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local turn, patience, patient = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
redis.call('ZREMRANGEBYSCORE', inside, '-inf', ARGV[3])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', asked, '-inf', string.format('(%.0f', now - patience))) do
  redis.call('ZREM', asked, gone)
  redis.call('ZREM', waiting, gone)
end
local first = tonumber(redis.call('ZSCORE', waiting, id) or now)
if not redis.call('ZSCORE', inside, id) then
  local before = first - 1
  if now - turn < before then before = now - turn end
  local ahead = redis.call('ZCOUNT', waiting, '-inf', string.format('%.0f', before))
  if redis.call('ZCARD', inside) + ahead >= limit then
    redis.call('ZADD', waiting, string.format('%.0f', first), id)
    redis.call('ZADD', asked, ARGV[3], id)
    redis.call('PEXPIRE', waiting, patient)
    redis.call('PEXPIRE', asked, patient)
    return 0
  end
  redis.call('ZREM', waiting, id)
  redis.call('ZREM', asked, id)
end
redis.call('ZADD', inside, untl, id)
if redis.call('PTTL', inside) < ttl then redis.call('PEXPIRE', inside, ttl) end
return 1
`)

	stayInBulkhead = redis.NewScript(`
local ttl = tonumber(ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
return 1
`)

	leaveBulkhead = redis.NewScript(`
for _, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[1]) end
return 1
`)
)

// Enter implements [bulkhead.Store].
func (b *Bulkheads) Enter(
	ctx context.Context, target, id string, limit int, now time.Time, ttl time.Duration,
) (bool, error) {
	return enterBulkhead.Run(ctx, b.client, bulkheadKeys(target), id, limit, now.UnixMicro(), now.Add(ttl).UnixMicro(),
		millis(ttl), bulkhead.Turn.Microseconds(), bulkhead.Patience.Microseconds(), millis(time.Minute)).Bool()
}

// Stay implements [bulkhead.Store].
func (b *Bulkheads) Stay(ctx context.Context, target, id string, now time.Time, ttl time.Duration) error {
	return stayInBulkhead.Run(ctx, b.client, bulkheadKeys(target), id, now.Add(ttl).UnixMicro(), millis(ttl)).Err()
}

// Leave implements [bulkhead.Store].
func (b *Bulkheads) Leave(ctx context.Context, target, id string) error {
	return leaveBulkhead.Run(ctx, b.client, bulkheadKeys(target), id).Err()
}

func bulkheadKeys(target string) []string {
	return []string{tagged("inside", target), tagged("waiting", target), tagged("asked", target)}
}
