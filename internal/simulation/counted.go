package simulation

import (
	"context"
	"slices"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/tally"
)

// What is counted of a tenant, as a process sees it: its money, its rate, and what it has under way.

// accounts is [ledger.Store] as far as requests and attempts need it, as a process sees it.
type accounts struct {
	ledger.Store // has none of the rest
	by           *process
}

func (a accounts) Reserve(
	ctx context.Context, account, id string, amount, budget catalog.Money, now, expires time.Time,
) (bool, error) {
	w := a.by.world
	return share(ctx, a.by, "reserve", id, func() (bool, error) {
		ok, err := w.common.ledger.Reserve(ctx, account, id, amount, budget, now, expires)
		w.notef("%d of %d: %t", amount, budget, ok)
		w.isWithinBudget(account, budget, id)
		return ok, err
	})
}

func (a accounts) Settle(ctx context.Context, account, id string, amount catalog.Money, now time.Time) error {
	_, err := share(ctx, a.by, "settle", id, func() (struct{}, error) {
		return done(a.by.world.common.ledger.Settle(ctx, account, id, amount, now))
	})
	return err
}

func (a accounts) Release(ctx context.Context, account, id string) error {
	_, err := share(ctx, a.by, "release", id, func() (struct{}, error) {
		return done(a.by.world.common.ledger.Release(ctx, account, id))
	})
	return err
}

func (a accounts) Count(ctx context.Context, now time.Time, e ledger.Entry) error {
	_, err := share(ctx, a.by, "count", e.ID, func() (struct{}, error) {
		return done(a.by.world.common.ledger.Count(ctx, now, e))
	})
	return err
}

// Spent is asked at the door.
func (a accounts) Spent(ctx context.Context, account string) (ledger.Spent, error) {
	return share(ctx, a.by, "spent", account, func() (ledger.Spent, error) {
		return a.by.world.common.ledger.Spent(ctx, account)
	})
}

// limits is [limit.Store] as a process sees it.
type limits struct{ by *process }

func (l limits) Take(ctx context.Context, tenant string, r limit.Rate, now time.Time) (limit.Answer, error) {
	w := l.by.world
	return share(ctx, l.by, "take", rateOf(tenant), func() (limit.Answer, error) {
		a, err := w.common.limits.Take(ctx, tenant, r, now)
		w.notef("%t", a.Allowed)
		return a, err
	})
}

// rateOf is what is noted of a tenant's rate.
func rateOf(tenant string) string { return "the rate of " + tenant }

// tallies is [tally.Store] as a process sees it.
type tallies struct{ by *process }

func (t tallies) Enter(ctx context.Context, tenant, id string, most int, now, expires time.Time) (tally.Entry, error) {
	w := t.by.world
	return share(ctx, t.by, "count in", id, func() (tally.Entry, error) {
		entry, err := w.common.tally.Enter(ctx, tenant, id, most, now, expires)
		if entry == tally.Full {
			w.notef("%s has %d", tenant, most)
		}
		return entry, err
	})
}

func (t tallies) Leave(ctx context.Context, tenant string, ids ...string) error {
	_, err := share(ctx, t.by, "count out", ids[0], func() (struct{}, error) {
		return done(t.by.world.common.tally.Leave(ctx, tenant, ids...))
	})
	return err
}

func (t tallies) Count(ctx context.Context, tenant string, now time.Time) (int, error) {
	return share(ctx, t.by, "count", tenant, func() (int, error) { return t.by.world.common.tally.Count(ctx, tenant, now) })
}

// Sample returns all there are, in order, since what a seed decides must not depend on the order of a map.
func (t tallies) Sample(ctx context.Context, tenant string, n int) ([]string, error) {
	return share(ctx, t.by, "sample", tenant, func() ([]string, error) {
		all, err := t.by.world.common.tally.Sample(ctx, tenant, maxRequests)
		slices.Sort(all)
		return all[:min(n, len(all))], err
	})
}
