package callback

import (
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/seeded"
)

// jitterShare is how far a delay is moved, either way, as a share of it: enough to pull apart what failed together, and
// little enough that the schedule stays what the configuration says.
const jitterShare = 0.1

// again says what becomes of the event after a failed try: another try, or after the last one the dead letter. The event's
// Tries counts the tries that failed before this one, and retries[n] is the delay before try n, from 0; the first is made
// at once. A delay that the receiver named holds if it is the longer one.
func again(retries []time.Duration, in events.Event, named time.Duration, err error) error {
	next := in.Tries + 1
	if next >= len(retries) {
		return hop.Reject(events.ReasonUndelivered, err)
	}
	return hop.RetryAfter(err, max(jittered(retries[next], in.ID, next), named))
}

// jittered returns the delay moved by at most jitterShare of it. It depends on the event and the try alone, so a step that
// is repeated after a crash computes the same.
func jittered(delay time.Duration, id string, try int) time.Duration {
	return delay + time.Duration(float64(delay)*jitterShare*(2*seeded.Unit(id, try)-1))
}
