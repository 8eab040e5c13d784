package sqsbus

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// A queue is read only by receiving from it. What is received is hidden from others for deadHold, and released when the
// reading is over; if the reader dies, it comes back by itself after that.
const (
	deadHold = time.Minute
	deadPoll = time.Second // long enough to ask every server that has some of the queue
)

// DeadLetters implements [hop.DeadLetters], but in no order: SQS keeps none. What another listing holds is not seen.
func (b *Bus) DeadLetters(ctx context.Context) iter.Seq2[hop.DeadLetter, error] {
	return func(yield func(hop.DeadLetter, error) bool) {
		for m, err := range b.readDead(ctx) {
			if err != nil {
				yield(hop.DeadLetter{}, fmt.Errorf("sqsbus: dead letters: %w", err))
				return
			}
			if !yield(deadLetter(m), nil) {
				return
			}
		}
	}
}

// readDead yields each message of the dead queue once, held, and releases them all at the end.
func (b *Bus) readDead(ctx context.Context) iter.Seq2[types.Message, error] {
	return func(yield func(types.Message, error) bool) {
		q := b.deadQueue()
		held := map[string]string{} // the last receipt handle by message id
		defer func() { q.release(ctx, held) }()
		for {
			got, err := q.poll(ctx, maxBatch, seconds(deadPoll), seconds(deadHold))
			if err != nil {
				yield(types.Message{}, err)
				return
			}
			var fresh []types.Message
			for _, m := range got {
				id := aws.ToString(m.MessageId)
				if _, again := held[id]; !again {
					fresh = append(fresh, m)
				}
				held[id] = aws.ToString(m.ReceiptHandle)
			}
			if len(fresh) == 0 {
				return // nothing, or only what comes round again after a hold
			}
			for _, m := range fresh {
				if !yield(m, nil) {
					return
				}
			}
		}
	}
}

// release puts what is held back. What was removed meanwhile is not there to be put back, and what fails comes back by
// itself.
func (q *queue) release(ctx context.Context, held map[string]string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	free := make([]visibility, 0, len(held))
	for _, handle := range held {
		free = append(free, visibility{handle: handle})
	}
	for _, e := range q.visibilities.join(free...) {
		_ = e.wait(ctx)
	}
}

// RemoveDeadLetter implements [hop.DeadLetters]. A letter that a listing still holds is removed by its receipt, and one that
// was released is looked for first, which reads the queue.
func (b *Bus) RemoveDeadLetter(ctx context.Context, key string) error {
	id, handle, ok := strings.Cut(key, keySeparator)
	if !ok {
		return fmt.Errorf("sqsbus: remove dead letter %q: no key of a dead letter", key)
	}
	if err := b.removeDead(ctx, id, handle); err != nil {
		return fmt.Errorf("sqsbus: remove dead letter %s: %w", id, err)
	}
	return nil
}

func (b *Bus) removeDead(ctx context.Context, id, handle string) error {
	q := b.deadQueue()
	// SQS says that it removed a message even where the receipt is an old one and it did not: only a change of visibility
	// tells whether the message is held by it.
	if err := q.visibilities.do(ctx, visibility{handle, seconds(deadHold)}); err == nil {
		return q.removals.do(ctx, handle)
	}
	for m, err := range b.readDead(ctx) {
		if err != nil {
			return err
		}
		if aws.ToString(m.MessageId) == id {
			return q.removals.do(ctx, aws.ToString(m.ReceiptHandle))
		}
	}
	return nil
}

func (b *Bus) deadQueue() *queue { return b.queue(QueueURL(b.opts.URL, events.Lane{Hop: events.Dead})) }

// keySeparator stands in a key between the message's id and the handle of its receipt. Neither has it.
const keySeparator = " "

func deadLetter(m types.Message) hop.DeadLetter {
	body := aws.ToString(m.Body)
	e, err := Decode(body)
	switch {
	case err == nil && e.Dead != nil:
	case err == nil:
		// Its queue's redrive policy moved it here.
		e.Dead = &events.DeadLetter{
			Reason: events.ReasonCrashLoop, Time: sentAt(m), Detail: "sqsbus: moved by SQS after its queue's maxReceiveCount",
		}
		e.Dead.Hop, _ = e.Takes()
	case e.Dead == nil:
		e = events.Event{
			ID: aws.ToString(m.MessageId), Data: []byte(body),
			Dead: &events.DeadLetter{Reason: events.ReasonUndecodable, Time: sentAt(m), Detail: err.Error()},
		}
	default:
		// A dead letter need be no event of the chain: that may be what it died of.
	}
	return hop.DeadLetter{Event: e, Key: aws.ToString(m.MessageId) + keySeparator + aws.ToString(m.ReceiptHandle)}
}

// sentAt returns when the message was first stored, or no time.
func sentAt(m types.Message) time.Time {
	ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
