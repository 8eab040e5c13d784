// Package rediscells keeps results in Redis or Valkey: a cell is a key that is set once, with its retention as expiry.
//
// Durability: that of the server, which confirms a write from memory, so a server that is lost loses what it had not
// copied. Redis is not the bus: no request is lost with it, since every accepted request is an event of the transport, and
// is worked and delivered all the same. What a loss costs is memory of requests that were under way or done:
//
//   - Polling one of them answers that there is no such request, until its result comes and is written anew; a result that
//     was there is gone.
//   - The same request sent again counts as new and runs again, and so may a copy of its event that the transport hands out
//     twice, and a request that was canceled. The caller may then get two results, under two webhook ids if the runs ended
//     differently.
//
// While the server cannot be reached nothing is decided: ingest answers 503, and the hops give back what needs a cell. A
// failover to a replica loses the writes that it had not copied. The server must refuse writes when its memory is full
// (maxmemory-policy noeviction, which is not what ElastiCache begins with): an evicted cell is a lost one.
//
// Retention: a cell expires when its writer says.
// Hints: a cell is announced on a channel of its own, after it can be read. A watch holds a connection to the server.
package rediscells

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/results"
)

// prefix sets the keys and channels of results apart from what else is kept in the server.
const prefix = "baton:results:"

// Cells implements [results.Cells] over a client, which stays its caller's to close. It is safe for concurrent use.
type Cells struct {
	client redis.UniversalClient
}

// New returns cells over the client: of one server, of a replicated one or of a cluster, of Redis 7.0, Valkey 7.2 or newer,
// which know SET with both NX and GET. It sends nothing yet.
func New(client redis.UniversalClient) *Cells { return &Cells{client} }

// Create implements [results.Cells]. A create whose answer was lost and that the client repeats finds what it wrote itself:
// that is what stands there.
func (c *Cells) Create(ctx context.Context, key string, value []byte, expires time.Time) ([]byte, error) {
	// One round trip for both. The hint goes out for a cell that was written before too, which the contract of Watch allows.
	pipe := c.client.Pipeline()
	set := pipe.SetArgs(ctx, prefix+key, value, redis.SetArgs{Mode: "NX", Get: true, ExpireAt: expires})
	pipe.Publish(ctx, prefix+key, "")
	_, _ = pipe.Exec(ctx) // each command has its own error, and a hint may be lost
	existing, err := set.Result()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("rediscells: create: %w", err)
	default:
		return []byte(existing), nil
	}
}

// Get implements [results.Cells].
func (c *Cells) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := c.client.Get(ctx, prefix+key).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, results.ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("rediscells: get: %w", err)
	default:
		return value, nil
	}
}

// Watch implements [results.Cells].
func (c *Cells) Watch(ctx context.Context, key string) (<-chan struct{}, func(), error) {
	sub := c.client.Subscribe(ctx, prefix+key)
	// What is written after this is heard: the server has confirmed.
	if _, err := sub.Receive(ctx); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("rediscells: watch: %w", err), sub.Close())
	}
	hint := make(chan struct{}, 1)
	go func() {
		for range sub.Channel() { // until it is closed
			select {
			case hint <- struct{}{}:
			default:
			}
		}
	}()
	return hint, func() { _ = sub.Close() }, nil
}
