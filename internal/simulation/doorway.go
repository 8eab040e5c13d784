package simulation

import (
	"context"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/tally"
)

// doorway leads what a door does to the process that the request came to.
type doorway struct{}

// Publish implements [hop.Publisher].
func (doorway) Publish(ctx context.Context, out ...events.Event) error {
	v := visitOf(ctx)
	v.wrote = true
	return transport{v.to}.Publish(ctx, out...)
}

// Receive implements [hop.Source]. Nothing is received at a door.
func (doorway) Receive(ctx context.Context, _ events.Lane, _ int, _ func(hop.Delivery)) error {
	return ctx.Err()
}

// Create implements [results.Cells].
func (doorway) Create(ctx context.Context, key string, value []byte, expires time.Time) ([]byte, error) {
	v := visitOf(ctx)
	v.wrote = true
	return cells{v.to.world, v.to}.Create(ctx, key, value, expires)
}

// Get implements [results.Cells].
func (doorway) Get(ctx context.Context, key string) ([]byte, error) {
	p := visitOf(ctx).to
	return cells{p.world, p}.Get(ctx, key)
}

// Watch implements [results.Cells].
func (doorway) Watch(ctx context.Context, key string) (<-chan struct{}, func(), error) {
	p := visitOf(ctx).to
	return cells{p.world, p}.Watch(ctx, key)
}

// itsLimits is the limits of the process that a request came to, as a store for those of the door.
type itsLimits struct{}

func (itsLimits) Take(ctx context.Context, tenant string, _ limit.Rate, _ time.Time) (limit.Answer, error) {
	a, _ := visitOf(ctx).to.state.Limits.Take(ctx, visitOf(ctx).tenant(tenant))
	return a, nil
}

// itsTally is the tally of that process, in the same way.
type itsTally struct{ tally.Store } // has none of the rest

func (itsTally) Enter(ctx context.Context, tenant, id string, _ int, _, expires time.Time) (tally.Entry, error) {
	v := visitOf(ctx)
	return v.to.state.Tally.Enter(ctx, v.tenant(tenant), id, expires), nil
}

func (itsTally) Leave(ctx context.Context, tenant string, ids ...string) error {
	v := visitOf(ctx)
	for _, id := range ids {
		v.to.state.Tally.Leave(ctx, v.tenant(tenant), id)
	}
	return nil
}

// itsLedger is its ledger.
type itsLedger struct{ ledger.Store } // has none of the rest

func (itsLedger) Spent(ctx context.Context, account string) (ledger.Spent, error) {
	return visitOf(ctx).to.state.Ledger.Spent(ctx, account)
}

// tenant returns the tenant as the process has it.
func (v *visit) tenant(name string) *catalog.Tenant { return v.to.catalog.Load().Tenants[name] }
