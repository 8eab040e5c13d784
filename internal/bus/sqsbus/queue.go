package sqsbus

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// queue is one queue, with what is on its way there.
type queue struct {
	client *sqs.Client
	url    string

	messages     group[message]
	removals     group[string] // of receipt handles
	visibilities group[visibility]
}

// message is a message to be stored.
type message struct {
	body   string
	tenant string // empty: of no group
	delay  int32  // seconds
}

// visibility is how long a message that was received is hidden from now on.
type visibility struct {
	handle  string
	seconds int32
}

// queue returns the queue with the URL.
func (b *Bus) queue(url string) *queue {
	b.mu.Lock()
	defer b.mu.Unlock()
	q, ok := b.queues[url]
	if !ok {
		q = &queue{client: b.client, url: url}
		q.messages.send, q.messages.size, q.messages.limit = q.store, message.size, b.opts.MaxBytes
		q.removals.send = q.remove
		q.visibilities.send = q.hide
		b.queues[url] = q
	}
	return q
}

const attributeName = "content-type"

// size is what SQS counts: the body, and the name, type and value of each attribute.
func (m message) size() int {
	return len(m.body) + len(attributeName) + len("String") + len(contentType)
}

func (q *queue) store(ctx context.Context, ms []message) []error {
	return batch(ctx, len(ms), func(ctx context.Context, numbers []int) (answered, error) {
		entries := make([]types.SendMessageBatchRequestEntry, len(numbers))
		for i, n := range numbers {
			m := &ms[n]
			entries[i] = types.SendMessageBatchRequestEntry{
				Id: aws.String(entryID(n)), MessageBody: &m.body, DelaySeconds: m.delay,
				MessageAttributes: map[string]types.MessageAttributeValue{
					attributeName: {DataType: aws.String("String"), StringValue: aws.String(contentType)},
				},
			}
			if m.tenant != "" {
				entries[i].MessageGroupId = &m.tenant
			}
		}
		out, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: entries})
		if err != nil {
			return answered{}, err
		}
		a := answered{failed: out.Failed}
		for _, s := range out.Successful {
			a.done = append(a.done, aws.ToString(s.Id))
		}
		return a, nil
	})
}

func (q *queue) remove(ctx context.Context, handles []string) []error {
	return batch(ctx, len(handles), func(ctx context.Context, numbers []int) (answered, error) {
		entries := make([]types.DeleteMessageBatchRequestEntry, len(numbers))
		for i, n := range numbers {
			entries[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(entryID(n)), ReceiptHandle: &handles[n]}
		}
		out, err := q.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &q.url, Entries: entries})
		if err != nil {
			return answered{}, err
		}
		a := answered{failed: out.Failed}
		for _, s := range out.Successful {
			a.done = append(a.done, aws.ToString(s.Id))
		}
		return a, nil
	})
}

func (q *queue) hide(ctx context.Context, vs []visibility) []error {
	return batch(ctx, len(vs), func(ctx context.Context, numbers []int) (answered, error) {
		entries := make([]types.ChangeMessageVisibilityBatchRequestEntry, len(numbers))
		for i, n := range numbers {
			entries[i] = types.ChangeMessageVisibilityBatchRequestEntry{
				Id: aws.String(entryID(n)), ReceiptHandle: &vs[n].handle, VisibilityTimeout: vs[n].seconds,
			}
		}
		in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.url, Entries: entries}
		out, err := q.client.ChangeMessageVisibilityBatch(ctx, in)
		if err != nil {
			return answered{}, err
		}
		a := answered{failed: out.Failed}
		for _, s := range out.Successful {
			a.done = append(a.done, aws.ToString(s.Id))
		}
		return a, nil
	})
}

// receive waits for messages and returns 10 at most, hidden from others for so many seconds.
func (q *queue) receive(ctx context.Context, limit int, wait, hidden int32) ([]types.Message, error) {
	out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.url, MaxNumberOfMessages: int32(min(limit, maxBatch)), WaitTimeSeconds: wait, VisibilityTimeout: hidden,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameApproximateReceiveCount, types.MessageSystemAttributeNameSentTimestamp,
		},
	})
	if err != nil {
		return nil, err
	}
	return out.Messages, nil
}
