package awslambda

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// visibility changes how long a received message stays hidden. A [*sqs.Client] does.
type visibility interface {
	ChangeMessageVisibility(
		ctx context.Context, in *sqs.ChangeMessageVisibilityInput, options ...func(*sqs.Options),
	) (*sqs.ChangeMessageVisibilityOutput, error)
}

// message settles a message that a mapping has received and will delete unless it is reported as failed.
type message struct {
	client  visibility
	queue   string // its URL
	receipt string
	id      string
	done    atomic.Bool
}

// maxHidden is the longest that a message is hidden anew: SQS allows 12 hours from its receipt, of which an invocation may
// have passed already.
const maxHidden = 11*time.Hour + 30*time.Minute

// Ack implements [hop.Settler]: the mapping deletes the message.
func (m *message) Ack(context.Context) error {
	m.done.Store(true)
	return nil
}

// Return implements [hop.Settler]. In whole seconds, rounded up: what is delayed must not come early.
func (m *message) Return(ctx context.Context, delay time.Duration) error {
	seconds := int32((min(max(delay, 0), maxHidden) + time.Second - 1) / time.Second)
	_, err := m.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: aws.String(m.queue), ReceiptHandle: aws.String(m.receipt), VisibilityTimeout: seconds,
	})
	if err != nil {
		return fmt.Errorf("awslambda: change visibility: %w", err)
	}
	return nil
}

// Extend implements [hop.Settler]. The visibility timeout outlasts the invocation.
func (m *message) Extend(context.Context) error { return nil }

// queueURL returns the URL of the queue with the ARN, which is in the account and region of the chain's own.
func queueURL(base, arn string) string {
	return base[:strings.LastIndexByte(base, '/')+1] + queueName(arn)
}

// queueName returns the name of the queue with the ARN.
func queueName(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }
