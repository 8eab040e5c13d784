package redisstate

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/lease"
)

// Leases is a [lease.Store]: a hash for each key with its last token, and a string with its outcome. It is safe for
// concurrent use.
//
//	n  the last token granted
//	s  what became of it: h held, f freed, o has an outcome
//	u  until when it is held or the outcome is kept, in microseconds
//	g  which acquire was granted it: one that the client repeats, its answer being lost, is granted the same again
type Leases struct {
	client redis.UniversalClient
	nonce  func() string
}

var _ lease.Store = (*Leases)(nil)

// NewLeases returns a store of leases over the client, which stays the caller's.
func NewLeases(client redis.UniversalClient) *Leases { return &Leases{client, rand.Text} }

// The scripts say what [lease.Memory] says in Go. KEYS are the hash and the outcome. Times are in microseconds, which a
// number of Lua's holds exactly, and expiries in milliseconds.
var (
	acquireLease = redis.NewScript(`
local n, s, u, g = unpack(redis.call('HMGET', KEYS[1], 'n', 's', 'u', 'g'))
local now = tonumber(ARGV[1])
if s == 'h' and g == ARGV[3] then return {'n', n} end
local lasts = s and tonumber(u) > now
if lasts and s == 'h' then return {'u', u} end
local outcome = lasts and s == 'o' and redis.call('GET', KEYS[2])
if outcome then return {'o', outcome} end
local token = string.format('%.0f', math.max(now, (n and tonumber(n) or 0) + 1))
redis.call('HSET', KEYS[1], 'n', token, 's', 'h', 'u', ARGV[2], 'g', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('DEL', KEYS[2])
return {'n', token}
`)

	// fenced answers 0 to a token that is another's by now.
	fenced = `
local n, s = unpack(redis.call('HMGET', KEYS[1], 'n', 's'))
local token, now = tonumber(ARGV[1]), tonumber(ARGV[2])
if not n and now - token > tonumber(ARGV[3]) then return 0 end
if n and tonumber(n) > token then return 0 end
local own = n and tonumber(n) == token
`

	renewLease = redis.NewScript(fenced + `
if own and s ~= 'h' then return 0 end
redis.call('HSET', KEYS[1], 'n', ARGV[1], 's', 'h', 'u', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
`)

	freeLease = redis.NewScript(fenced + `
if own and s ~= 'h' then return 1 end
redis.call('HSET', KEYS[1], 'n', ARGV[1], 's', 'f', 'u', '0')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('DEL', KEYS[2])
return 1
`)

	finishLease = redis.NewScript(fenced + `
if own and s == 'o' then return 1 end
if own and s == 'f' then return 0 end
redis.call('HSET', KEYS[1], 'n', ARGV[1], 's', 'o', 'u', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('SET', KEYS[2], ARGV[6], 'PX', ARGV[7])
return 1
`)
)

// Acquire implements [lease.Store].
func (l *Leases) Acquire(ctx context.Context, key string, now time.Time, ttl time.Duration) (lease.Grant, error) {
	answer, err := acquireLease.Run(ctx, l.client, leaseKeys(key),
		now.UnixMicro(), now.Add(ttl).UnixMicro(), l.nonce(), millis(ttl+lease.Remembered)).StringSlice()
	if err != nil {
		return lease.Grant{}, err
	}
	return readGrant(answer)
}

// Renew implements [lease.Store].
func (l *Leases) Renew(ctx context.Context, key string, token int64, now time.Time, ttl time.Duration) (bool, error) {
	return renewLease.Run(ctx, l.client, leaseKeys(key), token, now.UnixMicro(), lease.Remembered.Microseconds(),
		now.Add(ttl).UnixMicro(), millis(ttl+lease.Remembered)).Bool()
}

// Finish implements [lease.Store].
func (l *Leases) Finish(
	ctx context.Context, key string, token int64, now time.Time, outcome []byte, keep time.Duration,
) (bool, error) {
	if outcome == nil {
		return freeLease.Run(ctx, l.client, leaseKeys(key), token, now.UnixMicro(), lease.Remembered.Microseconds(),
			millis(lease.Remembered)).Bool()
	}
	return finishLease.Run(ctx, l.client, leaseKeys(key), token, now.UnixMicro(), lease.Remembered.Microseconds(),
		now.Add(keep).UnixMicro(), millis(keep+lease.Remembered), outcome, millis(keep)).Bool()
}

func leaseKeys(key string) []string { return []string{tagged("lease", key), tagged("outcome", key)} }

// readGrant reads the answer to an acquire: what it is, and its value.
func readGrant(answer []string) (lease.Grant, error) {
	if len(answer) != 2 {
		return lease.Grant{}, fmt.Errorf("an answer of %d parts", len(answer))
	}
	what, value := answer[0], answer[1]
	if what == "o" {
		return lease.Grant{Outcome: []byte(value)}, nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		return lease.Grant{}, fmt.Errorf("an answer that is no number: %w", err)
	case what == "n":
		return lease.Grant{Token: n}, nil
	default:
		return lease.Grant{Until: time.UnixMicro(n)}, nil
	}
}
