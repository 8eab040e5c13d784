// Package lease gives one worker at a time the right to do a piece of work, such as one attempt at a target, across all
// processes.
//
// A lease ends by itself after its time to live, so that a worker that died holds nobody up; its holder renews it while it
// works ([Leases.Hold]). A holder that stalled for longer, or that alone could not reach the store, may find that another
// came after it. So each grant has a fencing token, larger than all before it, and what a holder hands in at the end is
// taken only while no larger token is known (M. Kleppmann, How to do distributed locking, 2016). What was handed in is
// remembered for a while, so that a repeat of the work finds its outcome and need not do it again.
//
// What may be paid for is stopped for nothing less than another's lease: while the store is away work goes on, and its end
// is fenced when the store is back. Two may then have done it, where one of them alone could not reach the store.
//
// Tokens are times: the microsecond of the grant, or the token before plus one if that is more. So they grow even where the
// store has lost its memory, and the holder of a lease that is forgotten goes on: if a store that knows nothing of a key is
// asked by a holder whose token is younger than [Remembered], nobody can have come after it unless the store has lost that
// too, and the store believes the holder. Clocks may differ by less than the time to live: a worker whose clock is ahead by
// d takes a lease over d too early.
package lease

import (
	"context"
	"errors"
	"time"
)

// Remembered is how long a store knows the last token of a key, at least, after the last step with it: longer than a call
// takes, so that a holder whose token is older and that the store does not know is one that came after all.
const Remembered = 15 * time.Minute

// ErrLost is why a [Held.Context] ends while its holder works: the lease is another's.
var ErrLost = errors.New("lease: lost")

// Grant is the answer to an acquire. One of the three is set.
type Grant struct {
	Token   int64     // > 0: granted; the next grant of the key has a larger one
	Until   time.Time // held by another, until then if it is not renewed
	Outcome []byte    // done before, with this outcome
}

// Store keeps leases. Each method is one atomic step. It is safe for concurrent use, keeps nothing of its arguments and
// reads no clock: now is the caller's. An error means that nothing is known of whether the step was done.
type Store interface {
	// Acquire grants the key for ttl, unless it is held or its outcome is kept. The token stays granted at least until the
	// next acquire: a lease that is over and that nobody took is still its last holder's to renew and to finish.
	Acquire(ctx context.Context, key string, now time.Time, ttl time.Duration) (Grant, error)
	// Renew makes the lease last until ttl from now. It returns false if the token's holder has it no more: another was
	// granted it, or it is finished.
	Renew(ctx context.Context, key string, token int64, now time.Time, ttl time.Duration) (bool, error)
	// Finish ends the lease. An outcome is kept for keep, which is more than 0; with none the key is free, and the token is
	// good for nothing any more. It returns false, and nothing is written, if the token's holder has the lease no more.
	// Repeated with the same token it is true again, and the outcome that came first stays.
	Finish(
		ctx context.Context, key string, token int64, now time.Time, outcome []byte, keep time.Duration,
	) (bool, error)
}
