package redisstate

import (
	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/shared"
)

// Stores returns all that processes share, in the server of the client.
func Stores(client redis.UniversalClient) shared.Stores {
	return shared.Stores{
		Leases: NewLeases(client), Places: NewBulkheads(client), Health: NewHealth(client), Answers: NewAnswers(client),
		Ledger: NewLedger(client), Limits: NewLimits(client), Tally: NewTally(client),
	}
}
