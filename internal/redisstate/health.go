package redisstate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/health"
)

// Health implements [health.Store] over a client, which stays its caller's to close. It is safe for concurrent use.
//
//	baton:health:1:{TARGET}  the record; the number is that of its format
//	baton:probe:{TARGET}     who holds the slot
//
// Records are compared with what their writer has read, by one script each, and read and written for all targets in one
// round trip, or one for each node of a cluster.
type Health struct {
	client redis.UniversalClient
}

// NewHealth returns a store over the client. It sends nothing yet.
func NewHealth(client redis.UniversalClient) *Health { return &Health{client} }

var (
	swapRecord = redis.NewScript(`
local kept = redis.call('GET', KEYS[1]) or ''
if kept ~= ARGV[1] then return kept end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return ARGV[2]`)

	takeSlot = redis.NewScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

	releaseSlot = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)
)

func recordKey(target string) string { return "baton:health:1:{" + target + "}" }
func slotKey(target string) string   { return "baton:probe:{" + target + "}" }

// Read implements [health.Store].
func (h *Health) Read(ctx context.Context, targets []string, _ time.Time) ([][]byte, error) {
	if len(targets) == 0 {
		return nil, nil
	}
	pipe := h.client.Pipeline() // not MGET, whose keys must all be of one slot
	cmds := make([]*redis.StringCmd, len(targets))
	for i, target := range targets {
		cmds[i] = pipe.Get(ctx, recordKey(target))
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) { // the first command's that has one
		return nil, fmt.Errorf("redisstate: read health: %w", err)
	}
	records := make([][]byte, len(targets))
	for i, target := range targets {
		b, err := cmds[i].Bytes()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, fmt.Errorf("redisstate: read health of %s: %w", target, err)
		}
		if len(b) > 0 {
			records[i] = b
		}
	}
	return records, nil
}

// Swap implements [health.Store].
func (h *Health) Swap(ctx context.Context, changes []health.Change, _ time.Time, ttl time.Duration) ([][]byte, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	pipe := h.client.Pipeline()
	cmds := make([]*redis.Cmd, len(changes))
	for i, c := range changes {
		// EVAL and not EVALSHA: in a pipeline nothing can follow an answer that the script is not known.
		cmds[i] = swapRecord.Eval(ctx, pipe, []string{recordKey(c.Target)}, c.Old, c.New, ttl.Milliseconds())
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("redisstate: write health: %w", err)
	}
	stand := make([][]byte, len(changes))
	for i, c := range changes {
		kept, err := cmds[i].Text()
		if err != nil {
			return nil, fmt.Errorf("redisstate: write health of %s: %w", c.Target, err)
		}
		if kept != "" {
			stand[i] = []byte(kept)
		}
	}
	return stand, nil
}

// Probe implements [health.Store].
func (h *Health) Probe(ctx context.Context, target, holder string, _ time.Time, ttl time.Duration) (bool, error) {
	mine, err := takeSlot.Run(ctx, h.client, []string{slotKey(target)}, holder, ttl.Milliseconds()).Bool()
	if err != nil {
		return false, fmt.Errorf("redisstate: take probe slot of %s: %w", target, err)
	}
	return mine, nil
}

// Release implements [health.Store].
func (h *Health) Release(ctx context.Context, target, holder string) error {
	if err := releaseSlot.Run(ctx, h.client, []string{slotKey(target)}, holder).Err(); err != nil {
		return fmt.Errorf("redisstate: release probe slot of %s: %w", target, err)
	}
	return nil
}
