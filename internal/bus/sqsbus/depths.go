package sqsbus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"baton.dev/baton/events"
)

// askedAtOnce is how many queues are asked at the same time for how much they have.
const askedAtOnce = 8

// counts are the parts of what a queue has: what waits, what is handed out, and what waits for its delay.
var counts = []types.QueueAttributeName{
	types.QueueAttributeNameApproximateNumberOfMessages,
	types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
	types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
}

// Depths returns how many events of each lane are not settled, for schedule, callback, infer at the targets, and the steps of
// batches: SQS does not say which queues there are. A queue that is not there has none. Lanes without any are left out.
//
// The numbers are SQS's own, which are approximate: they may be a minute behind. It costs a request a queue, each of which
// is paid for: seven, and three a target.
func (b *Bus) Depths(ctx context.Context, targets []string) (map[events.Lane]int, error) {
	lanes := make([]events.Lane, 0, (2+len(targets))*len(events.Priorities())+1)
	lanes = append(lanes, events.Lane{Hop: events.Batch, Priority: events.Low}) // steps have no other priority
	for _, p := range events.Priorities() {
		lanes = append(lanes, events.Lane{Hop: events.Schedule, Priority: p}, events.Lane{Hop: events.Callback, Priority: p})
		for _, t := range targets {
			lanes = append(lanes, events.Lane{Hop: events.Infer, Priority: p, Target: t})
		}
	}
	numbers, errs := make([]int, len(lanes)), make([]error, len(lanes))
	var asking sync.WaitGroup
	free := make(chan struct{}, askedAtOnce)
	for i, lane := range lanes {
		free <- struct{}{}
		asking.Go(func() {
			numbers[i], errs[i] = b.depth(ctx, lane)
			<-free
		})
	}
	asking.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("sqsbus: depths: %w", err)
	}
	depths := map[events.Lane]int{}
	for i, n := range numbers {
		if n > 0 {
			depths[lanes[i]] = n
		}
	}
	return depths, nil
}

func (b *Bus) depth(ctx context.Context, lane events.Lane) (int, error) {
	out, err := b.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(QueueURL(b.opts.URL, lane)), AttributeNames: counts,
	})
	if _, gone := errors.AsType[*types.QueueDoesNotExist](err); gone {
		return 0, nil // of a target that is new, or of a chain in parts
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", lane, err)
	}
	total := 0
	for _, name := range counts {
		n, err := strconv.Atoi(out.Attributes[string(name)])
		if err != nil {
			return 0, fmt.Errorf("%s: %s is no number", lane, name)
		}
		total += n
	}
	return total, nil
}
