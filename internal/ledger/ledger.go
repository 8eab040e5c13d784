// Package ledger keeps account of what requests cost: it bounds what a tenant may spend in a period, and sums tokens and
// money for the reader.
//
// A budget is held by reserving before an attempt the most that it may cost ([Most]), and settling it after for what it
// did cost ([Cost]). A reservation is refused where it would lift what is spent and reserved over the budget, so
// concurrent attempts cannot overspend together. One that is never settled, since its process died, stays reserved until
// the period is over: money of which nothing is known counts as spent.
//
// The ledger is no accelerator. Where a store cannot be reached its methods fail, and whoever must hold a budget waits.
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
// processes, and safe for concurrent use. An id is that of an attempt: whatever is repeated for one within 48 hours has no
// effect beyond the first. Amounts are from 0 to [MaxMoney]; others are an error. An account lives as long as [Expiry]
// says.
type Accounts interface {
	// Reserve sets the amount aside for the attempt, unless what is spent and reserved would then be more than the budget.
	// It is ok too for an attempt that has its reservation already, which stays as it is, and for one that was settled,
	// for which nothing is reserved again. The account lives until expires if that is later than [Expiry].
	Reserve(ctx context.Context, account, id string, amount, budget catalog.Money, now, expires time.Time) (ok bool, err error)
	// Settle puts what the attempt did cost in the place of what was reserved for it. It counts as well without a
	// reservation: the money is spent.
	Settle(ctx context.Context, account, id string, amount catalog.Money, now time.Time) error
	// Release gives back what was reserved for an attempt that called no model. One that is settled stays so.
	Release(ctx context.Context, account, id string) error
	// Spent returns the account's state: all zero for one that is not known.
	Spent(ctx context.Context, account string) (Spent, error)
}

// Book sums what attempts took, by day, tenant, model and target. Safe for concurrent use.
type Book interface {
	// Count adds the attempt to the day of now, once: a repeat of its id within [Recent] adds nothing.
	Count(ctx context.Context, now time.Time, e Entry) error
	// Totals returns the sums of the days from one to the other, both included, in the order of [Total.Compare].
	Totals(ctx context.Context, from, to time.Time) ([]Total, error)
}

// MaxMoney is the largest amount: beyond it a float64, by which Redis's scripts count, is not exact.
const MaxMoney catalog.Money = 1 << 53

// Remembered is how long accounts know an attempt's id. Nothing is redelivered later: a request's deadline is 24 hours at
// most. An attempt that is redriven later calls a model, and pays, once more.
const Remembered = 48 * time.Hour

// Spent is the state of an account.
type Spent struct {
	Spent    catalog.Money `json:"spent"`
	Reserved catalog.Money `json:"reserved"` // for attempts that are under way, or were lost
}

// Check returns an error for what no [Accounts] takes.
func Check(account, id string, amount catalog.Money) error {
	switch {
	case account == "" || id == "":
		return fmt.Errorf("ledger: attempt %q of account %q: both need a name", id, account)
	case amount < 0 || amount > MaxMoney:
		return fmt.Errorf("ledger: attempt %s: an amount of %d: want 0 to %d", id, amount, MaxMoney)
	default:
		return nil
	}
}
