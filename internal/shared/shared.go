// Package shared is what the functions of a chain know together, whichever process they run in: who makes which attempt, how
// the targets do, what is in their places, what was answered, what it cost, and how much each tenant has under way.
//
// All of it is an accelerator but the ledger: without its stores requests still flow and are delivered, and each process
// goes by what it sees itself. A tenant with a budget waits while the ledger is away.
package shared

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/admission"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/bulkhead"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/tally"
)

// Config is what a [State] is made of. Catalog, Results and Log are required.
type Config struct {
	Stores  Stores
	Catalog func() *catalog.Catalog
	Results *results.Store
	// Depths returns how much waits in each lane, where the transport can tell; nil: nobody knows, so no request is refused
	// for its deadline, and no tenant waits apart.
	Depths func(context.Context) (map[events.Lane]int, error)
	// OnBreaker is told of each move of a breaker; nil: nobody is.
	OnBreaker func(target string, from, to health.State)
	Log       *slog.Logger
}

// State is what one process knows of it. It is safe for concurrent use; [State.Run] keeps it in step with the others.
type State struct {
	Leases  *lease.Leases // nil: of this process alone
	Health  *health.Board
	Places  *bulkhead.Bulkhead
	Answers *answers.Answers
	Ledger  ledger.Store // nil: nothing is counted
	Limits  *limit.Limiter
	Tally   *tally.Tally
	Rates   limit.Store     // of other rates than the tenants'; nil: each process counts by itself
	Queues  *admission.Gate // nil: what waits is not known

	catalog func() *catalog.Catalog
	patient *ledger.Patient
}

// New returns the state, with nothing known yet. An error says what the configuration asks for that the stores cannot do.
func New(c Config) (*State, error) {
	if err := Check(c.Catalog(), c.Stores); err != nil {
		return nil, err
	}
	s := &State{
		Places:  bulkhead.New(bulkhead.Config{Store: c.Stores.Places, Log: c.Log}),
		Answers: answers.New(answers.Config{Store: c.Stores.Answers, Log: c.Log}),
		Limits:  limit.New(limit.Config{Store: c.Stores.Limits, Log: c.Log}),
		Tally:   tally.New(tally.Config{Store: c.Stores.Tally, Results: c.Results, Log: c.Log}),
		Rates:   c.Stores.Limits,
		catalog: c.Catalog,
	}
	s.Health = health.New(health.Config{
		Store: c.Stores.Health, Targets: s.targets, Canary: s.canary, Observe: c.OnBreaker, Log: c.Log,
	})
	if c.Stores.Ledger != nil {
		s.patient = ledger.NewPatient(c.Stores.Ledger, c.Log)
		s.Ledger = s.patient
	}
	if c.Depths != nil {
		s.Queues = admission.New(admission.Config{Depths: c.Depths, Health: s.Health, Log: c.Log})
	}
	if c.Stores.Leases != nil {
		var err error
		if s.Leases, err = lease.New(lease.Config{Store: c.Stores.Leases, Keep: keepOutcome}); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// keepOutcome is how long the outcome of an attempt is kept for a repeat of it: what a transport takes to repeat it (its lease,
// 30 s) and an outage of the transport that a chain should get over without paying twice. Results take a place in the store for
// as long.
const keepOutcome = 10 * time.Minute

// Check returns an error for a configuration that asks for what the stores cannot do.
func Check(c *catalog.Catalog, s Stores) error {
	if s.Ledger != nil {
		return nil
	}
	var errs []error
	for name, t := range c.Tenants {
		if t.Budget.Amount > 0 {
			errs = append(errs, fmt.Errorf("tenant %s has a budget, which processes can only hold together: set BATON_REDIS_URL", name))
		}
	}
	return errors.Join(errs...)
}

// Run keeps the state in step with the other processes until ctx is done, and then shares what it has not shared yet.
func (s *State) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { s.Health.Run(ctx) })
	if s.Queues != nil {
		running.Go(func() { s.Queues.Run(ctx) })
	}
	if s.patient != nil {
		running.Go(func() { s.patient.Run(ctx) })
	}
	running.Wait()
}

// syncTimeout bounds [State.Sync]: a store that is away must not take a process's time.
const syncTimeout = time.Second

// Sync is one step of Run, for a process that is frozen while it has nothing to do. What it could not share, it shares the
// next time.
func (s *State) Sync(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	_ = s.Health.Sync(ctx) // it logs what is to be said
	if s.patient != nil {
		_ = s.patient.Flush(ctx) // the same
	}
}

// targets returns the names of all targets.
func (s *State) targets() []string {
	var names []string
	for _, m := range s.catalog().Models {
		for _, t := range m.Targets {
			names = append(names, t.Name)
		}
	}
	return names
}

// canary returns what a canary is and what it is compared with.
func (s *State) canary(target string) (fingerprint string, stable []string) {
	t, m, ok := s.catalog().Target(target)
	if !ok || t.Canary == 0 {
		return "", nil
	}
	for _, other := range m.Stable() {
		stable = append(stable, other.Name)
	}
	return t.Fingerprint(), stable
}

// Spent reports whether anything of the tenant's budget is left, and when its period ends. What is reserved is looked at when
// an attempt is made: it may cost less.
func (s *State) Spent(ctx context.Context, t *catalog.Tenant) (left bool, ends time.Time, err error) {
	account, ends := ledger.Account(t.Name, t.Budget, time.Now())
	spent, err := s.Ledger.Spent(ctx, account)
	return spent.Spent < t.Budget.Amount, ends, err
}
