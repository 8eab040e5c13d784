package answers

import (
	"context"
	"errors"
	"math"
	"time"
)

// ErrNotFound is returned by a [Store] for a key under which there is no answer.
var ErrNotFound = errors.New("answers: no such answer")

// Everyone is the width of a flight in which whoever asks leads.
const Everyone = math.MaxInt32

// Store is what processes share. Each method is one atomic step, and safe for concurrent use. Nothing that is passed in is
// changed or kept.
//
// Whether a lead, a width or a value is over is, for Lead and Widen, told by the clock of who asks, also where the place would
// keep it longer. For Get it is told by the place's.
type Store interface {
	Values
	Flights
}

// Values are the answers.
type Values interface {
	// Get returns the value under the key. The error is [ErrNotFound] where none is, or where its time is over.
	Get(ctx context.Context, key string) ([]byte, error)
	// Put stores the value for ttl, in place of an earlier one. When it has returned, every Get sees it.
	Put(ctx context.Context, key string, value []byte, now time.Time, ttl time.Duration) error
}

// Flights are who leads the flight of each key: the one message that is being answered while equal ones wait, or the few.
type Flights interface {
	// Lead makes the holder a leader for ttl from now, if it leads already or fewer lead than the flight is wide, and returns
	// who leads: the holder, or the one of the others whose lead ends first. A flight is one wide, unless Widen has said
	// otherwise. In one for [Everyone] the holder is told that it leads, and nobody notes it: nothing is to be landed.
	//
	// It returns "" and makes nobody a leader where there is a value under the key: whoever looked before it was put is to
	// look again.
	Lead(ctx context.Context, key, holder string, now time.Time, ttl time.Duration) (leader string, err error)
	// Land ends the holder's lead. That of another stays.
	Land(ctx context.Context, key, holder string) error
	// Widen ends the holder's lead, and makes the flight that wide for ttl from now. It stays as it is where it is wider
	// already, and where the holder does not lead, unless the width is [Everyone]: then anyone's word counts.
	Widen(ctx context.Context, key, holder string, width int, now time.Time, ttl time.Duration) error
}
