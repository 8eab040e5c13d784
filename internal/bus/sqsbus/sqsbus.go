// Package sqsbus is the transport over Amazon SQS: standard queues, one for each lane, which whoever deploys the chain makes
// (infra/terraform does). Events are in the structured mode of CloudEvents: the JSON of [Encode] is the body, and
// "content-type: application/cloudevents+json" the one attribute.
//
// Delivery: at least once, under a lease that is the message's visibility timeout; a delivery that is neither settled nor
// extended within the lease is handed out again. Now and then SQS hands out a message again that was acknowledged. A long
// poll that a shutdown cuts off may have been handed messages that nobody then holds: they come again after the lease. SQS
// counts a lease and its extensions from the receipt, up to 12 hours, and extends none beyond: work that takes longer loses
// its lease and is repeated.
// Order: none is promised. The message group is the tenant, which on a standard queue does not order, but keeps the backlog
// of one tenant from delaying the others' (fair queues).
// Delay: a counted try is a new copy of its event with a delay of its own (DelaySeconds), since the tries are counted in the
// event; a delivery that is given back, which counts nothing, has its visibility timeout set to the delay. Both are whole
// seconds, rounded up. SQS delays a copy for 15 minutes at most and hides a delivery for 12 hours at most: an event that is
// to wait longer arrives early, and the hop runtime gives it back for the rest, as often as it takes.
// Size: 1 MiB, of the body, its attribute and, in a batch, of all messages together. An event that would not leave room for
// its attributes as a dead letter is refused, with [hop.ErrTooLarge] and before anything is sent. Data that is no JSON that
// SQS would take as it is, byte for byte, travels as base64, a third larger.
// Duplicates: are stored and handed out, each, with the id of the event; nothing is remembered. A publish that got no answer
// and is repeated, by this package or its caller, makes one. Whoever handles an event recognises it by its id.
// Dead letters: a queue for all lanes, which is also the redrive target of their queues. The hop runtime writes a dead
// letter with its reason after [hop.Limits.Deliveries], so the queues' maxReceiveCount must be larger: a message that SQS
// itself moves there has no reason but that. Listing hides a letter from others for a minute at most and puts it back, in
// no order; two listings at once see a part each. They are kept as long as the queue retains them, 14 days at most.
// Durability: SQS stores a message on several servers before it confirms it.
//
// Requests to one queue that come at the same time go together, ten in a batch: publishes, acknowledgements and changes of
// visibility alike. Nobody waits for company: whoever finds a free connection to the queue goes at once.
package sqsbus

import (
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"baton.dev/baton/events"
)

// Options of the transport. URL is required; the zero value of the others means the default.
type Options struct {
	// URL is what the URLs of the chain's queues begin with, as in https://sqs.eu-central-1.amazonaws.com/123456789012/baton.
	// See [QueueURL].
	URL string
	// Lease of a delivery, in whole seconds, 12h at most; default 60s. Longer costs fewer extensions, and shorter repeats
	// sooner what a crash left behind.
	Lease time.Duration
	// Wait is how long Receive waits for deliveries; default 20s, the longest that SQS waits within one request.
	Wait time.Duration
	// MaxBytes is the most that one message, and all messages of a batch together, may have; default 1 MiB, SQS's own limit.
	// It must not be more than the MaximumMessageSize of the queues.
	MaxBytes int
}

const (
	maxLease = 12 * time.Hour   // of SQS, extensions included
	maxDelay = 15 * time.Minute // of SQS's DelaySeconds
)

func (o Options) withDefaults() Options {
	if o.Lease == 0 {
		o.Lease = time.Minute
	}
	o.Lease = min(time.Duration(seconds(o.Lease))*time.Second, maxLease)
	if o.Wait == 0 {
		o.Wait = 20 * time.Second
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 20
	}
	return o
}

// Bus is the transport. It is safe for concurrent use, and has nothing to close.
type Bus struct {
	client *sqs.Client
	opts   Options
	now    func() time.Time

	mu     sync.Mutex
	queues map[string]*queue // by URL
}

// New returns the transport over queues that others have made. It sends nothing yet.
func New(client *sqs.Client, o Options) *Bus {
	return &Bus{client: client, opts: o.withDefaults(), now: time.Now, queues: map[string]*queue{}}
}

// QueueURL returns the URL of the lane's queue: base-hop-priority, for a lane of a target base-hop-priority-target, and
// base-dead for the dead letters. SQS allows 80 characters for a queue's name, which bounds the names of targets.
func QueueURL(base string, lane events.Lane) string {
	url := base + "-" + string(lane.Hop)
	if lane.Priority != "" {
		url += "-" + string(lane.Priority)
	}
	if lane.Target != "" {
		url += "-" + lane.Target
	}
	return url
}

// seconds returns d in whole seconds, rounded up: what is delayed must not come early.
func seconds(d time.Duration) int32 {
	if d <= 0 {
		return 0
	}
	return int32(min((d+time.Second-1)/time.Second, maxLease/time.Second))
}
