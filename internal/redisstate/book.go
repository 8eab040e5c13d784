package redisstate

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
)

// The book of the ledger is a hash for each day, baton:{book}:2026-11-24, with a field for each sum: tenant, model, target
// and what is summed, with spaces between, which none of them has. That an execution was counted is a key of its own for a
// while, baton:{book}:counted:<id>. All have one tag, so that a repeat after midnight is known too.
const bookPrefix = "baton:{book}:"

// What is summed.
const (
	sumAttempts = "attempts"
	sumInput    = "in"
	sumOutput   = "out"
	sumMoney    = "money"
)

// countOnce takes the day and the execution as KEYS, the milliseconds that they live, and pairs of a field and what to add.
var countOnce = redis.NewScript(`
if not redis.call('SET', KEYS[2], '', 'NX', 'PX', ARGV[2]) then return 0 end
for i = 3, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`)

// Count implements [ledger.Book].
func (l *Ledger) Count(ctx context.Context, now time.Time, e ledger.Entry) error {
	add, err := e.Total(now)
	if err != nil {
		return err
	}
	const day = 24 * time.Hour
	kept := now.UTC().Truncate(day).Add((ledger.KeptDays + 1) * day).Sub(now)
	args := []any{millis(kept), millis(ledger.Recent)}
	row := add.Tenant + " " + add.Model + " " + add.Target + " "
	for _, sum := range []struct {
		of  string
		add int64
	}{{sumAttempts, add.Attempts}, {sumInput, add.InputTokens}, {sumOutput, add.OutputTokens}, {sumMoney, int64(add.Money)}} {
		if sum.add != 0 {
			args = append(args, row+sum.of, sum.add)
		}
	}
	keys := []string{bookPrefix + add.Day, bookPrefix + "counted:" + e.ID}
	if err := countOnce.Run(ctx, l.client, keys, args...).Err(); err != nil {
		return fmt.Errorf("ledger: count %s: %w", e.ID, err)
	}
	return nil
}

// Totals implements [ledger.Book].
func (l *Ledger) Totals(ctx context.Context, from, to time.Time) ([]ledger.Total, error) {
	days, err := ledger.Days(from, to)
	if err != nil {
		return nil, err
	}
	pipe := l.client.Pipeline()
	hashes := make([]*redis.MapStringStringCmd, len(days))
	for i, day := range days {
		hashes[i] = pipe.HGetAll(ctx, bookPrefix+day)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("ledger: totals: %w", err)
	}
	var all []ledger.Total
	for i, day := range days {
		rows := map[string]*ledger.Total{}
		for field, text := range hashes[i].Val() {
			if err := addField(rows, day, field, text); err != nil {
				return nil, fmt.Errorf("ledger: totals of %s: %w", day, err)
			}
		}
		for _, t := range rows {
			all = append(all, *t)
		}
	}
	slices.SortFunc(all, ledger.Total.Compare)
	return all, nil
}

// addField adds a field of a day's hash to the row that it is of. A field in a form of another version is none of ours.
func addField(rows map[string]*ledger.Total, day, field, text string) error {
	names := strings.Split(field, " ")
	if len(names) != 4 {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	key := strings.TrimSuffix(field, names[3])
	t := rows[key]
	if t == nil {
		t = &ledger.Total{Day: day, Tenant: names[0], Model: names[1], Target: names[2]}
		rows[key] = t
	}
	switch names[3] {
	case sumAttempts:
		t.Attempts = n
	case sumInput:
		t.InputTokens = n
	case sumOutput:
		t.OutputTokens = n
	case sumMoney:
		t.Money = catalog.Money(n)
	}
	return nil
}
