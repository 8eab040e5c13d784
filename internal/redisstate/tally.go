package redisstate

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/tally"
)

// Tally implements [tally.Store]: a sorted set for each tenant, of message ids by when they expire in milliseconds. It is
// safe for concurrent use.
type Tally struct {
	client redis.UniversalClient
}

// NewTally returns the store over the client, which stays its caller's to close.
func NewTally(client redis.UniversalClient) *Tally { return &Tally{client} }

func tallyKey(tenant string) string { return tagged("tally", tenant) }

// enterTally takes out who has expired and puts one in if there is room, or if it is in. The set expires with the last.
var enterTally = redis.NewScript(`
local key, id, most = KEYS[1], ARGV[1], tonumber(ARGV[2])
local now, expires = tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call("ZREMRANGEBYSCORE", key, "-inf", ARGV[3])
local entry = 2
local before = redis.call("ZSCORE", key, id)
if before then
  entry = 1
  expires = math.max(expires, tonumber(before))
elseif redis.call("ZCARD", key) >= most then
  return 0
end
if expires > now then
  redis.call("ZADD", key, string.format("%.0f", expires), id)
  local last = redis.call("ZRANGE", key, -1, -1, "WITHSCORES")
  redis.call("PEXPIRE", key, string.format("%.0f", tonumber(last[2]) - now))
end
return entry
`)

// Enter implements [tally.Store].
func (t *Tally) Enter(ctx context.Context, tenant, id string, most int, now, expires time.Time) (tally.Entry, error) {
	n, err := enterTally.Run(ctx, t.client, []string{tallyKey(tenant)}, id, most, now.UnixMilli(), expires.UnixMilli()).Int()
	if err != nil {
		return tally.Full, fmt.Errorf("tally: enter %s of %s: %w", id, tenant, err)
	}
	return []tally.Entry{tally.Full, tally.Present, tally.Entered}[n], nil
}

// Leave implements [tally.Store].
func (t *Tally) Leave(ctx context.Context, tenant string, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	members := make([]any, len(ids))
	for i, id := range ids {
		members[i] = id
	}
	if err := t.client.ZRem(ctx, tallyKey(tenant), members...).Err(); err != nil {
		return fmt.Errorf("tally: leave %s: %w", tenant, err)
	}
	return nil
}

// Count implements [tally.Store].
func (t *Tally) Count(ctx context.Context, tenant string, now time.Time) (int, error) {
	n, err := t.client.ZCount(ctx, tallyKey(tenant), "("+strconv.FormatInt(now.UnixMilli(), 10), "+inf").Result()
	if err != nil {
		return 0, fmt.Errorf("tally: count %s: %w", tenant, err)
	}
	return int(n), nil
}

// Sample implements [tally.Store].
func (t *Tally) Sample(ctx context.Context, tenant string, n int) ([]string, error) {
	ids, err := t.client.ZRandMember(ctx, tallyKey(tenant), n).Result()
	if err != nil {
		return nil, fmt.Errorf("tally: sample %s: %w", tenant, err)
	}
	return ids, nil
}
