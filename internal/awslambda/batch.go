package awslambda

import (
	"context"
	"errors"
	"strconv"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/sqsbus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
)

// consumer works the batches that event source mappings hand over.
type consumer struct {
	hop       events.Hop
	processor *hop.Processor
	catalog   func() *catalog.Catalog
	client    visibility
	base      string // what the queues' URLs begin with
	// sync, if set, shares what is known of targets: nothing runs here between two batches.
	sync func(context.Context)
	now  func() time.Time
}

// maxAnswer is what is kept of an invocation for its answer, at most.
const maxAnswer = time.Second

// handle takes the messages of a batch to their outcomes, and reports those that the mapping must not delete.
func (c *consumer) handle(ctx context.Context, in awsevents.SQSEvent) (awsevents.SQSEventResponse, error) {
	if len(in.Records) == 0 {
		return awsevents.SQSEventResponse{}, errNoMessages
	}
	ctx, cancel := toAnswer(ctx, c.now())
	defer cancel()
	messages := received(c.client, c.base, in)
	deliveries := make([]hop.Delivery, len(in.Records))
	for i, r := range in.Records {
		deliveries[i] = delivery(r, messages[i])
	}
	batch := hop.Batch{Deliveries: deliveries}
	batch.AtOnce, batch.Room = c.bounds(deliveries)
	if c.sync != nil {
		c.sync(ctx)
		// After the batch, too: what this process saw would else be known to the others with its next one only.
		defer c.sync(context.WithoutCancel(ctx))
	}
	c.processor.Handle(ctx, batch)
	return report(messages), nil
}

var errNoMessages = errors.New("awslambda: the event has no messages: is it of an SQS queue?")

// toAnswer returns a context that ends before the invocation does, in time for its answer.
func toAnswer(ctx context.Context, now time.Time) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-min(deadline.Sub(now)/20, maxAnswer)))
}

// received returns what settles the messages of an event, in their order.
func received(client visibility, base string, in awsevents.SQSEvent) []*message {
	messages := make([]*message, len(in.Records))
	for i, r := range in.Records {
		messages[i] = &message{client: client, queue: queueURL(base, r.EventSourceARN), receipt: r.ReceiptHandle, id: r.MessageId}
	}
	return messages
}

// report returns the answer to a mapping: which messages it must not delete.
func report(messages []*message) awsevents.SQSEventResponse {
	failed := []awsevents.SQSBatchItemFailure{}
	for _, m := range messages {
		if !m.done.Load() {
			failed = append(failed, awsevents.SQSBatchItemFailure{ItemIdentifier: m.id})
		}
	}
	return awsevents.SQSEventResponse{BatchItemFailures: failed}
}

// delivery reads a message.
func delivery(r awsevents.SQSMessage, settler hop.Settler) hop.Delivery {
	d := hop.Delivery{Settler: settler}
	d.Number, _ = strconv.Atoi(r.Attributes["ApproximateReceiveCount"]) // 0: it does not say
	d.Event, d.Err = sqsbus.Decode(r.Body)
	if d.Err != nil {
		d.Event.Data = []byte(r.Body)
		if d.Event.ID == "" {
			d.Event.ID = r.MessageId
		}
	}
	return d
}

// bounds returns how many of the deliveries are handled at once, 0 for all, and how long one of them may take. A queue of
// infer is one target's, so a batch is too.
func (c *consumer) bounds(deliveries []hop.Delivery) (atOnce int, room time.Duration) {
	cat := c.catalog()
	switch c.hop {
	case events.Infer:
		for _, d := range deliveries {
			if t, _, ok := cat.Target(d.Event.Target); ok {
				return t.Concurrency, t.Timeout + callMargin
			}
		}
	case events.Callback:
		return 0, cat.Callbacks.Timeout
	default:
	}
	return 0, 0
}
