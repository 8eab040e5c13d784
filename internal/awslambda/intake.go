package awslambda

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"

	"baton.dev/baton/internal/intake"
	"baton.dev/baton/internal/intake/sqsintake"
)

// intakes takes in what mappings hand over from tenants' own queues: see package intake for what becomes of a message.
type intakes struct {
	taker  *intake.Taker
	client visibility
	base   string // what the queues' URLs begin with
	log    *slog.Logger
	now    func() time.Time
}

// handle takes in the messages of a batch of the tenant's, and reports those that the mapping must not delete. A crash
// before its end repeats the batch: each message in it is the same request then.
func (i *intakes) handle(ctx context.Context, tenant string, in awsevents.SQSEvent) (awsevents.SQSEventResponse, error) {
	ctx, cancel := toAnswer(ctx, i.now())
	defer cancel()
	messages := received(i.client, i.base, in)
	list := make([]intake.Delivery, len(in.Records))
	for n, r := range in.Records {
		list[n] = intake.Delivery{
			Arrival: sqsintake.Arrival(r.MessageId, r.Body, texts(r.MessageAttributes)), Where: queueName(r.EventSourceARN),
			Settler: messages[n],
		}
		list[n].Number, _ = strconv.Atoi(r.Attributes["ApproximateReceiveCount"]) // 0: it does not say
	}
	if _, err := i.taker.Batch(ctx, tenant, sqsintake.Wanted, list); err != nil {
		// The queue is on its way here or away from here, with another configuration: its messages stay in it.
		i.log.Warn("messages stay in their queue", "queue", list[0].Where, "messages", len(list), "error", err)
	}
	return report(messages), nil
}

// texts returns the attributes that are text.
func texts(attributes map[string]awsevents.SQSMessageAttribute) map[string]string {
	all := make(map[string]string, len(attributes))
	for name, a := range attributes {
		if a.StringValue != nil {
			all[name] = *a.StringValue
		}
	}
	return all
}
