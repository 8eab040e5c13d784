package redisstate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
)

// Ledger implements [ledger.Store]. It is safe for concurrent use.
//
// An account is a hash, baton:budget:{account}, of the sums spent and reserved. What is known of an execution is a key of
// its own, baton:budget:{account}:<id>, which goes sooner: the amount that is reserved, or "settled". So an account stays
// small, however long its period is and however many executions it pays for.
//
// What the server evicts or loses, nobody has spent. Where budgets matter it is to evict nothing (maxmemory-policy
// noeviction) and to keep its data over a restart (appendonly yes). One that evicts nothing and is full answers every step
// that writes with an error: tenants with a budget then wait, as while it is away.
type Ledger struct {
	client redis.UniversalClient
}

var _ ledger.Store = (*Ledger)(nil)

// NewLedger returns the store over the client, which stays its caller's to close.
func NewLedger(client redis.UniversalClient) *Ledger { return &Ledger{client} }

// The scripts take the account and the execution as KEYS. A script's numbers are float64, and become text with a loss of
// digits: so amounts are added as the text they came in, and what is compared is what the budget has left, which is exact.

// reserveMoney takes the amount, the budget, and the milliseconds that execution and account live.
var reserveMoney = redis.NewScript(`
local known = redis.call('GET', KEYS[2])
if known and known ~= 'settled' then return 1 end
local sums = redis.call('HMGET', KEYS[1], 'spent', 'reserved')
if tonumber(ARGV[1]) > ARGV[2] - (sums[1] or 0) - (sums[2] or 0) then return 0 end
redis.call('HINCRBY', KEYS[1], 'reserved', ARGV[1])
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 1
`)

// settleMoney takes the amount and the milliseconds that execution and account live. An account that is not there has lost
// what was reserved in it.
var settleMoney = redis.NewScript(`
local reserved = redis.call('GET', KEYS[2])
if reserved == 'settled' then return 0 end
if reserved and reserved ~= '0' and redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HINCRBY', KEYS[1], 'reserved', '-' .. reserved)
end
redis.call('HINCRBY', KEYS[1], 'spent', ARGV[1])
redis.call('SET', KEYS[2], 'settled', 'PX', ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
`)

var releaseMoney = redis.NewScript(`
local reserved = redis.call('GET', KEYS[2])
if not reserved or reserved == 'settled' then return 0 end
if reserved ~= '0' and redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HINCRBY', KEYS[1], 'reserved', '-' .. reserved)
end
return redis.call('DEL', KEYS[2])
`)

func accountKeys(account, id string) []string {
	key := tagged("budget", account)
	return []string{key, key + ":" + id}
}

// Reserve implements [ledger.Accounts].
func (l *Ledger) Reserve(
	ctx context.Context, account, id string, amount, budget catalog.Money, now, expires time.Time,
) (bool, error) {
	if err := ledger.Check(account, id, amount); err != nil {
		return false, err
	}
	if kept := ledger.Expiry(account, now); kept.After(expires) {
		expires = kept
	}
	ok, err := reserveMoney.Run(ctx, l.client, accountKeys(account, id), int64(amount), int64(min(budget, ledger.MaxMoney)),
		millis(ledger.Remembered), millis(expires.Sub(now))).Bool()
	if err != nil {
		return false, fmt.Errorf("ledger: reserve %s in %s: %w", id, account, err)
	}
	return ok, nil
}

// Settle implements [ledger.Accounts].
func (l *Ledger) Settle(ctx context.Context, account, id string, amount catalog.Money, now time.Time) error {
	if err := ledger.Check(account, id, amount); err != nil {
		return err
	}
	err := settleMoney.Run(ctx, l.client, accountKeys(account, id), int64(amount),
		millis(ledger.Remembered), millis(ledger.Expiry(account, now).Sub(now))).Err()
	if err != nil {
		return fmt.Errorf("ledger: settle %s in %s: %w", id, account, err)
	}
	return nil
}

// Release implements [ledger.Accounts].
func (l *Ledger) Release(ctx context.Context, account, id string) error {
	if err := releaseMoney.Run(ctx, l.client, accountKeys(account, id)).Err(); err != nil {
		return fmt.Errorf("ledger: release %s in %s: %w", id, account, err)
	}
	return nil
}

// Spent implements [ledger.Accounts].
func (l *Ledger) Spent(ctx context.Context, account string) (ledger.Spent, error) {
	sums, err := l.client.HMGet(ctx, accountKeys(account, "")[0], "spent", "reserved").Result()
	if err != nil {
		return ledger.Spent{}, fmt.Errorf("ledger: spent in %s: %w", account, err)
	}
	spent, err := money(sums[0])
	reserved, err2 := money(sums[1])
	if err := errors.Join(err, err2); err != nil {
		return ledger.Spent{}, fmt.Errorf("ledger: spent in %s: %w", account, err)
	}
	return ledger.Spent{Spent: spent, Reserved: reserved}, nil
}

// money reads a field of a hash, which is nil where there is none.
func money(field any) (catalog.Money, error) {
	text, ok := field.(string)
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return catalog.Money(n), err
}
