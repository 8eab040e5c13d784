// Package ledger keeps account of what requests cost: it bounds what a tenant may spend in a period, and sums tokens and
// money for the reader.
//
// A budget is held by reserving before an attempt the most that it may cost ([Most]), and settling it after for what it
// did cost ([Cost]). A reservation is refused where it would lift what is spent and reserved over the budget, so
// concurrent attempts cannot overspend together. One that is never settled, since its process died, stays reserved until
// the period is over: money of which nothing is known counts as spent.
//
// What is reserved, settled and counted is one execution of an attempt. An attempt that is made again, since its process
// died or an operator wished it, may be paid for again: it is another execution, with an id of its own, such as the
// attempt's id and the token of the lease that it is made under.
//
// The ledger is no accelerator. Where a store cannot be reached its methods fail, and whoever must hold a budget waits.
// What was spent meanwhile is kept by [Patient] and written down after.
package ledger

import (
	"context"
	"fmt"
	"time"

	"baton.dev/baton/internal/catalog"
)

// Store is where processes keep the ledger together.
type Store interface {
	Accounts
	Book
}

// Accounts are what tenants with a budget have spent, each in its own period. Each method is one atomic step for all
// processes, and safe for concurrent use. An id is that of one execution of an attempt: a step that is repeated for one
// within [Remembered], since its answer was lost, has no effect beyond the first. Amounts are from 0 to [MaxMoney]; others
// are an error. An account lives as long as [Expiry] says.
type Accounts interface {
	// Reserve sets the amount aside for the execution, unless what is spent and reserved would then be more than the budget.
	// It is ok too for one that has its reservation already, which stays as it is. One that was settled has none any more:
	// it is reserved for anew, and what it comes to adds up. The account lives until expires if that is later than
	// [Expiry].
	Reserve(ctx context.Context, account, id string, amount, budget catalog.Money, now, expires time.Time) (ok bool, err error)
	// Settle puts what the execution did cost in the place of what was reserved for it. It counts as well without a
	// reservation, and over it: the money is spent.
	Settle(ctx context.Context, account, id string, amount catalog.Money, now time.Time) error
	// Release gives back what was reserved for an execution that called no model. One that is settled stays so.
	Release(ctx context.Context, account, id string) error
	// Spent returns the account's state: all zero for one that is not known.
	Spent(ctx context.Context, account string) (Spent, error)
}

// Book sums what attempts took, by day, tenant, model and target. Safe for concurrent use.
type Book interface {
	// Count adds the execution to the day of now, once: a repeat of its id within [Recent] adds nothing.
	Count(ctx context.Context, now time.Time, e Entry) error
	// Totals returns the sums of the days from one to the other, both included, in the order of [Total.Compare].
	Totals(ctx context.Context, from, to time.Time) ([]Total, error)
}

// MaxMoney is the largest amount: beyond it a float64, by which Redis's scripts count, is not exact.
const MaxMoney catalog.Money = 1 << 53

// Remembered is how long accounts know an execution's id, from its last step: longer than a call takes, and than what it
// came to waits for a store that is away.
const Remembered = 48 * time.Hour

// Spent is the state of an account.
type Spent struct {
	Spent    catalog.Money `json:"spent"`
	Reserved catalog.Money `json:"reserved"` // for executions that are under way, or were lost
}

// Check returns an error for what no [Accounts] takes.
func Check(account, id string, amount catalog.Money) error {
	switch {
	case account == "" || id == "":
		return fmt.Errorf("ledger: execution %q of account %q: both need a name", id, account)
	case amount < 0 || amount > MaxMoney:
		return fmt.Errorf("ledger: execution %s: an amount of %d: want 0 to %d", id, amount, MaxMoney)
	default:
		return nil
	}
}
