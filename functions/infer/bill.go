package infer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/model"
)

// Ledger is where budgets are held, and what attempts took is summed.
type Ledger interface {
	ledger.Accounts
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

// bill returns a bill without a budget.
func (f *function) bill(in events.Event, execution string, t *catalog.Target, tenant string) bill {
	if f.Ledger == nil {
		return bill{}
	}
	return bill{function: f, price: t.Price, entry: ledger.Entry{ID: execution, Tenant: tenant, Model: in.Model, Target: t.Name}}
}

// reserve sets aside what the attempt may cost at most, for a tenant that has a budget; the request then gets a bound of its
// output if it names none. It is refused where the budget has less left, and waits where only what is reserved for others is in
// the way, or while the ledger is away.
func (f *function) reserve(
	ctx context.Context, in events.Event, execution string, t *catalog.Target, req *events.Request,
) (bill, *model.Error, error) {
	if f.Ledger == nil {
		return bill{}, nil, nil
	}
	b := f.bill(in, execution, t, in.Tenant)
	tenant, ok := f.Catalog().Tenants[in.Tenant]
	if !ok || tenant.Budget.Amount == 0 {
		return b, nil, nil
	}
	now := f.Now()
	later := now.Add(budgetWait.Delay(in.Copy, in.ID))
	var ends time.Time
	b.account, ends = ledger.Account(tenant.Name, tenant.Budget, now)
	*req = ledger.Bound(*req, t)
	b.most = ledger.Most(t, *req)
	ok, err := f.Ledger.Reserve(ctx, b.account, execution, b.most, tenant.Budget.Amount, now, ends)
	if err != nil {
		return bill{}, nil, hop.Park(fmt.Errorf("infer: reserve for %s: %w", in.ID, err), later)
	}
	if ok {
		return b, nil, nil
	}
	spent, err := f.Ledger.Spent(ctx, b.account)
	switch {
	case err != nil:
		return bill{}, nil, hop.Park(fmt.Errorf("infer: reserve for %s: %w", in.ID, err), later)
	case spent.Spent+b.most <= tenant.Budget.Amount && !pastHalf(in, now):
		// What is in the way is reserved for calls that are under way, and mostly more than they will cost.
		return bill{}, nil, hop.Park(fmt.Errorf("infer: %s waits for the budget: %w", in.ID, errReserved), later)
	default:
		return bill{}, model.NewError(events.CodeBudgetSpent, nil), nil
	}
}

// pastHalf reports whether half of the request's time is over: what is reserved may be of a process that died, and stays so.
func pastHalf(in events.Event, now time.Time) bool {
	return !in.Expiry.IsZero() && now.Sub(in.Accepted) > in.Expiry.Sub(in.Accepted)/2
}

// budgetWait is how long an event waits that its budget does not let go on: each wait is a copy that is stored anew.
var budgetWait = hop.Backoff{Base: again, Max: 10 * time.Second}

var errReserved = errors.New("what is left of it is reserved for calls that are under way")

// release gives back what was reserved for an attempt that called no model.
func (b bill) release(ctx context.Context) {
	if b.account == "" {
		return
	}
	if err := b.function.Ledger.Release(context.WithoutCancel(ctx), b.account, b.entry.ID); err != nil {
		b.complain(ctx, err)
	}
}

// settle puts what the attempt did cost in the place of what was reserved, and sums it. What was never sent cost nothing, nor
// does a model that said by its status that it did not answer; of any other failure it is not known, and then the most counts.
func (b bill) settle(ctx context.Context, usage *events.Usage, failure *model.Error) {
	if b.function == nil {
		return
	}
	var cost catalog.Money
	switch {
	case usage != nil:
		b.entry.Usage = *usage
		cost = ledger.Cost(b.price, *usage)
	case failure != nil && (!failure.Sent || refusedByStatus(failure)):
	default:
		cost = b.most
	}
	b.entry.Money = cost
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	now := b.function.Now()
	if b.account != "" {
		if cost > b.most {
			b.function.Log.LogAttrs(ctx, slog.LevelWarn, "attempt cost more than it could: the budget may be overspent by that",
				slog.String("id", b.entry.ID), slog.String("target", b.entry.Target), slog.Any("most", b.most), slog.Any("cost", cost))
		}
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
