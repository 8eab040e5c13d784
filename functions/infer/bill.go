package infer

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/model"
)

// Ledger is where budgets are held, and what attempts took is summed. See [ledger.Accounts] and [ledger.Book].
type Ledger interface {
	Reserve(ctx context.Context, account, id string, amount, budget catalog.Money, now, expires time.Time) (ok bool, err error)
	Settle(ctx context.Context, account, id string, amount catalog.Money, now time.Time) error
	Release(ctx context.Context, account, id string) error
	Count(ctx context.Context, now time.Time, e ledger.Entry) error
}

// bill is what an attempt is to be paid from. The zero value is one that nobody keeps.
type bill struct {
	function *function
	entry    ledger.Entry
	price    catalog.Price
	account  string        // "" of a tenant without a budget
	most     catalog.Money // that was reserved
}

// reserve sets aside what the attempt may cost at most, for a tenant that has a budget; the request then gets a bound of its
// output if it names none. It is refused where the budget has less left. While the ledger is away, what has a budget waits.
func (f *function) reserve(
	ctx context.Context, in events.Event, t *catalog.Target, req *events.Request,
) (bill, *model.Error, error) {
	if f.Ledger == nil {
		return bill{}, nil, nil
	}
	b := bill{function: f, price: t.Price, entry: ledger.Entry{ID: in.ID, Tenant: in.Tenant, Model: in.Model, Target: t.Name}}
	tenant, ok := f.Catalog().Tenants[in.Tenant]
	if !ok || tenant.Budget.Amount == 0 {
		return b, nil, nil
	}
	now := f.Now()
	var ends time.Time
	b.account, ends = ledger.Account(tenant.Name, tenant.Budget, now)
	*req = ledger.Bound(*req, t)
	b.most = ledger.Most(t, *req)
	ok, err := f.Ledger.Reserve(ctx, b.account, in.ID, b.most, tenant.Budget.Amount, now, ends)
	switch {
	case err != nil:
		return bill{}, nil, hop.Park(fmt.Errorf("infer: reserve for %s: %w", in.ID, err), now.Add(again))
	case !ok:
		return bill{}, model.NewError(events.CodeBudgetSpent, nil), nil
	default:
		return b, nil, nil
	}
}

// release gives back what was reserved for an attempt that called no model.
func (b bill) release(ctx context.Context) {
	if b.account == "" {
		return
	}
	if err := b.function.Ledger.Release(context.WithoutCancel(ctx), b.account, b.entry.ID); err != nil {
		b.complain(ctx, err)
	}
}

// settle puts what the attempt did cost in the place of what was reserved, and sums it. A model that said by its status that
// it did not answer is not paid; of any other failure it is not known, and then the most counts.
func (b bill) settle(ctx context.Context, usage *events.Usage, failure *model.Error) {
	if b.function == nil {
		return
	}
	var cost catalog.Money
	switch {
	case usage != nil:
		b.entry.Usage = *usage
		cost = ledger.Cost(b.price, *usage)
	case failure != nil && refusedByStatus(failure):
	default:
		cost = b.most
	}
	b.entry.Money = cost
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	now := b.function.Now()
	if b.account != "" {
		if err := b.function.Ledger.Settle(ctx, b.account, b.entry.ID, cost, now); err != nil {
			b.complain(ctx, err) // it stays reserved: the budget is not overspent by it
		}
	}
	if err := b.function.Ledger.Count(ctx, now, b.entry); err != nil {
		b.complain(ctx, err)
	}
}

// settleTimeout bounds what is written down of an attempt that is over.
const settleTimeout = 2 * time.Second

func refusedByStatus(e *model.Error) bool {
	return e.Status != 0 && e.Code != events.CodeUnusableOutput && e.Code != events.CodeOutputTooLarge
}

func (b bill) complain(ctx context.Context, err error) {
	b.function.Log.LogAttrs(ctx, slog.LevelWarn, "cost is not written down", slog.String("id", b.entry.ID), slog.Any("err", err))
}
