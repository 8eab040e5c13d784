package shared

import (
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/bulkhead"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/tally"
)

// Stores is where it is kept what processes share. A store that is nil is shared with nobody: each process goes by what it
// sees itself.
type Stores struct {
	Leases  lease.Store
	Places  bulkhead.Store
	Health  health.Store
	Answers answers.Store
	Ledger  ledger.Store
	Limits  limit.Store
	Tally   tally.Store
}

// Memory returns stores for a process that runs all functions by itself, and forgets what they knew when it ends.
func Memory() Stores {
	return Stores{Answers: answers.NewMemory(), Ledger: ledger.NewMemory(), Leases: lease.NewMemory()}
}
