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
		return awsevents.SQSEventResponse{}, errors.New("awslambda: the event has no messages: is it of an SQS queue?")
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-min(deadline.Sub(c.now())/20, maxAnswer)))
		defer cancel()
	}
	messages := make([]*message, len(in.Records))
	deliveries := make([]hop.Delivery, len(in.Records))
	for i, r := range in.Records {
		messages[i] = &message{client: c.client, queue: queueURL(c.base, r.EventSourceARN), receipt: r.ReceiptHandle}
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

	report := awsevents.SQSEventResponse{BatchItemFailures: []awsevents.SQSBatchItemFailure{}}
	for i, m := range messages {
		if !m.done.Load() {
			failure := awsevents.SQSBatchItemFailure{ItemIdentifier: in.Records[i].MessageId}
			report.BatchItemFailures = append(report.BatchItemFailures, failure)
		}
	}
	return report, nil
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
