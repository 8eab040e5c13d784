package health

import (
	"context"
	"time"
)

// Store is where processes share what they know of targets: a small record a target, and a slot a target that one process
// holds while it probes. What is in a record only this package knows.
//
// It must be safe for concurrent use, keep nothing of what it was given, and fail soon where it cannot do its work: a
// [Board] goes on alone. The time is the caller's, and what is kept expires by it, or by as much later as the store's own
// clock is slow.
type Store interface {
	// Read returns the records of the targets in their order, nil for one that is not kept.
	Read(ctx context.Context, targets []string, now time.Time) ([][]byte, error)
	// Swap writes each record, one apart from the other, if what is kept is byte for byte what the change says, to be kept
	// for ttl. It returns in their order what stands after it: the new record, or what is kept instead, nil for nothing. A
	// change that was made before is made: a swap may be repeated. After an error each may be made or not.
	Swap(ctx context.Context, changes []Change, now time.Time, ttl time.Duration) ([][]byte, error)
	// Probe takes the target's slot for the holder until now + ttl, unless another holds it, and reports whether the holder
	// has it. One that has it already has it for longer.
	Probe(ctx context.Context, target, holder string, now time.Time, ttl time.Duration) (bool, error)
	// Release gives the slot back, if the holder has it.
	Release(ctx context.Context, target, holder string) error
}

// Change replaces the record of a target: New for Old, nil where none was kept. New is never empty.
type Change struct {
	Target   string
	Old, New []byte
}
