package sqsbus

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// maxPoll is the longest that SQS waits within one request.
const maxPoll = 20 * time.Second

// pollSlack is what a request may take beyond its wait: past it the connection is dead, and the next makes another.
const pollSlack = 15 * time.Second

// Receive implements [hop.Source]. It asks for ten at a time, as SQS hands them out, one request after the other.
func (b *Bus) Receive(ctx context.Context, lane events.Lane, limit int, take func(hop.Delivery)) error {
	q := b.queue(QueueURL(b.opts.URL, lane))
	end := b.now().Add(b.opts.Wait)
	for limit > 0 && ctx.Err() == nil {
		asked := b.now()
		poll := min(end.Sub(asked), maxPoll)
		if poll <= 0 {
			return nil
		}
		got, err := q.poll(ctx, limit, seconds(poll), seconds(b.opts.Lease))
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("sqsbus: receive %s: %w", lane, err)
		}
		for _, m := range got {
			take(b.delivery(q, m, asked))
		}
		limit -= len(got)
	}
	return nil
}

func (q *queue) poll(ctx context.Context, limit int, wait, hidden int32) ([]types.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(wait)*time.Second+pollSlack)
	defer cancel()
	return q.receive(ctx, limit, wait, hidden)
}

// delivery returns a message as it was received, no earlier than the given time.
func (b *Bus) delivery(q *queue, m types.Message, asked time.Time) hop.Delivery {
	d := hop.Delivery{
		Lease: b.opts.Lease,
		Settler: &lease{
			queue: q, handle: aws.ToString(m.ReceiptHandle), length: b.opts.Lease, end: asked.Add(maxLease), now: b.now,
		},
	}
	count := m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]
	if n, err := strconv.Atoi(count); err == nil {
		d.Number = n
	}
	body := aws.ToString(m.Body)
	if d.Event, d.Err = Decode(body); d.Err != nil {
		d.Event.Data = []byte(body)
		if d.Event.ID == "" {
			d.Event.ID = aws.ToString(m.MessageId)
		}
	}
	return d
}
