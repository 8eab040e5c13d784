package awslambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/sqsbus"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/intake/sqsintake"
)

// door is ingest: requests over HTTP, messages of tenants' own queues, and the steps of batches, which are requests too in
// the end.
type door struct {
	base    string // what the queues' URLs begin with
	gateway *gateway
	intakes *intakes
	batches *consumer // nil: there are no batches
}

func (p parts) door(whole chain.Config) (*door, error) {
	d := &door{
		base:    p.env.sqsURL,
		gateway: &gateway{handler: whole.Ingest(), log: p.log, now: time.Now},
		intakes: &intakes{taker: whole.Intake(), client: p.queues, base: p.env.sqsURL, log: p.log, now: time.Now},
	}
	if p.objects == nil {
		return d, nil
	}
	var err error
	d.batches, err = p.consumer(whole, events.Batch)
	return d, err
}

// arrival is an event of ingest: messages, or a request over HTTP.
type arrival struct {
	queue    bool
	messages awsevents.SQSEvent // of a queue
	request  doorEvent          // else
}

// UnmarshalJSON implements [json.Unmarshaler].
func (a *arrival) UnmarshalJSON(b []byte) error {
	if a.queue = ofQueue(b); a.queue {
		return json.Unmarshal(b, &a.messages)
	}
	return json.Unmarshal(b, &a.request)
}

// ofQueue reports whether the event is of an event source mapping, which has one field, Records. It reads no further than
// that: a request may be some MB.
func ofQueue(b []byte) bool {
	tokens := json.NewDecoder(bytes.NewReader(b))
	if t, err := tokens.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	t, err := tokens.Token()
	return err == nil && t == "Records"
}

// handle answers a request, or takes messages to their outcomes and reports those that the mapping must not delete.
func (d *door) handle(ctx context.Context, in arrival) (any, error) {
	switch {
	case !in.queue:
		return d.gateway.handleEither(ctx, in.request)
	case len(in.messages.Records) == 0:
		return nil, errNoMessages
	}
	first := in.messages.Records[0] // a mapping is of one queue
	if first.EventSource != "aws:sqs" {
		return nil, errors.New("awslambda: the event is of no SQS queue and of no HTTP interface")
	}
	if tenant, ok := sqsintake.Tenant(d.base, first.EventSourceARN); ok {
		return d.intakes.handle(ctx, tenant, in.messages)
	}
	if d.batches != nil && ofBatches(d.base, first.EventSourceARN) {
		return d.batches.handle(ctx, in.messages)
	}
	return nil, fmt.Errorf("awslambda: ingest takes nothing from the queue %s", queueName(first.EventSourceARN))
}

// ofBatches reports whether the queue with the ARN is one of the steps of batches.
func ofBatches(base, arn string) bool {
	prefix := path.Base(sqsbus.QueueURL(base, events.Lane{Hop: events.Batch})) + "-"
	return strings.HasPrefix(queueName(arn), prefix)
}
