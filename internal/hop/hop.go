// Package hop runs the functions of the chain.
//
// A function of the chain is a [Handler]: one event in, the events to emit out. It holds no publisher, sees no subject and
// settles nothing. The runtime in this package receives a delivery, calls the handler, stores its output durably, and only
// then settles the input. So a crash between any two steps repeats a hop and never loses one, and since ids are
// deterministic ([events.Event.Next]) the repeat is recognised. An output that the transport does not take is kept and stored
// later, for as long as the lease of its input is held: a broker that is away repeats no work that is done.
//
// What a handler says, it says by its error, and [Limits.Classify] is the one place that reads it:
//
//	nil                  done: store the output, acknowledge the input
//	Reject(reason, err)  dead letter, for good
//	RetryAfter(err, d)   again, after d; the try counts
//	Replace(event)       again, at once, as the event with other data; no try counts
//	Park(err, until)     again, not before then, stored anew; no try counts
//	Unavailable(err)     given back, to be tried when this side can; no try counts
//	any other error      again, after the backoff; the try counts
package hop

import (
	"context"
	"iter"
	"time"

	"baton.dev/baton/events"
)

// Handler is one function of the chain. It must be safe for concurrent calls, must not keep or change the event, and must
// return promptly when ctx is done: ctx ends when the process drains past its grace or the delivery's lease is lost.
type Handler func(ctx context.Context, in events.Event) ([]events.Event, error)

// Publisher stores events. A transport implements it.
//
// Publish returns nil only when the broker has confirmed that it stored every event, with the durability it is set to.
// On an error some of the events may be stored all the same; publishing them again is safe, since an event whose
// [events.Event.StorageID] is stored already is stored once. An event with a NotBefore in the future is kept back until
// then, at least. An event over the transport's limit is [ErrTooLarge], and one of a lane that has to be made first
// [ErrNoLane]. Publish is safe for concurrent calls and keeps
// nothing of the events after it returned.
type Publisher interface {
	Publish(ctx context.Context, out ...events.Event) error
}

// Source hands out the deliveries of lanes. A transport implements it.
//
// Receive waits for deliveries of the lane and calls take for each, at most limit times, in its own goroutine and one at a
// time. It returns when limit deliveries were handed out, when the transport's wait is over (nil), when ctx is done (nil),
// or when the broker cannot be reached (an error; the caller waits and calls again). However it ends, what the broker has
// sent by then is handed out before: nothing is left to its lease. Receive may be called for many lanes at once, and once at
// a time for a lane.
type Source interface {
	Receive(ctx context.Context, lane events.Lane, limit int, take func(Delivery)) error
}

// Bus is a transport: where events are stored and handed out again.
type Bus interface {
	Publisher
	Source
}

// Delivery is one event handed to this process under a lease.
type Delivery struct {
	Event events.Event
	// Err says that the message is no event of the chain; Event then holds what could be read of it, its bytes as Data.
	Err error
	// Number is how often the broker has handed the message out, from 1; 0 where it does not say. It guards against a
	// message that takes its process down ([events.ReasonCrashLoop]); tries and attempts are counted in the event.
	Number int
	// Lease is how long the broker waits for the delivery to be settled or extended before it hands it out again.
	Lease time.Duration
	Settler
}

// Settler settles one delivery. Each method may be called from any goroutine; after Ack or Return, none has an effect.
// An error means the broker may not have heard: the lease then runs out and the delivery is repeated.
type Settler interface {
	// Ack says that the delivery's output is stored: the message is never handed out again.
	Ack(ctx context.Context) error
	// Return gives the delivery back, to be handed out again after delay at the earliest.
	Return(ctx context.Context, delay time.Duration) error
	// Extend starts the lease anew.
	Extend(ctx context.Context) error
}

// DeadLetters is where a transport keeps what left the chain. Safe for concurrent calls.
type DeadLetters interface {
	// DeadLetters yields the dead letters, oldest first where the transport keeps an order, until one cannot be read.
	DeadLetters(ctx context.Context) iter.Seq2[DeadLetter, error]
	// RemoveDeadLetter forgets the dead letter with the key. One that is not there is no error.
	RemoveDeadLetter(ctx context.Context, key string) error
}

// DeadLetter is a dead letter as a transport keeps it: its event, with Dead set, and the transport's key of it.
type DeadLetter struct {
	Event events.Event
	Key   string
}
