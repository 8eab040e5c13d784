package answers

import (
	"context"
	"errors"
	"time"
)

// ErrNotFound is returned by a [Store] for a key under which there is no answer.
var ErrNotFound = errors.New("answers: no such answer")

// Store is what processes share: answers, and who leads the flight of a key, which is the one message that is being
// answered while equal ones wait. Each method is one atomic step, and safe for concurrent use. Nothing that is passed in
// is changed or kept.
type Store interface {
	// Get returns the value under the key. The error is [ErrNotFound] where none is, or where its time is over.
	Get(ctx context.Context, key string) ([]byte, error)
	// Put stores the value for ttl, in place of an earlier one. When it has returned, every Get sees it.
	Put(ctx context.Context, key string, value []byte, now time.Time, ttl time.Duration) error
	// Lead makes the holder the leader for ttl from now, if the key has no leader or the holder leads already, and returns
	// who leads. It returns "" and makes nobody the leader where there is a value under the key: whoever looked before it
	// was put is to look again.
	Lead(ctx context.Context, key, holder string, now time.Time, ttl time.Duration) (leader string, err error)
	// Land ends the holder's lead. That of another stays.
	Land(ctx context.Context, key, holder string) error
}
