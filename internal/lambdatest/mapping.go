package lambdatest

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Mapping is an event source mapping from a queue to a function, with ReportBatchItemFailures: it receives messages, invokes
// the function with them, and deletes those that were not reported as failed. If the invocation fails, it deletes none. It
// changes no visibility.
type Mapping struct {
	Client      *sqs.Client
	Queue       string // its URL
	Function    *Function
	BatchSize   int // default 10
	Concurrency int // invocations at once; default 2, the least that AWS allows

	// How many invocations there were, how many reported a part of their batch as failed, and how many failed. They may be
	// read at any time.
	Invocations, Partial, Failed atomic.Int64
}

// Run works until ctx is done and what was begun is over.
func (m *Mapping) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for range max(m.Concurrency, 2) {
		wg.Go(func() {
			for ctx.Err() == nil {
				m.poll(ctx)
			}
		})
	}
	wg.Wait()
}

func (m *Mapping) poll(ctx context.Context) {
	size := m.BatchSize
	if size == 0 {
		size = 10
	}
	out, err := m.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: aws.String(m.Queue), MaxNumberOfMessages: int32(size), WaitTimeSeconds: 1,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil {
		select { // the queue may come back
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
		return
	}
	if len(out.Messages) > 0 {
		m.invoke(context.WithoutCancel(ctx), out.Messages)
	}
}

// invoke hands a batch to the function and deletes what it has done.
func (m *Mapping) invoke(ctx context.Context, messages []types.Message) {
	m.Invocations.Add(1)
	failed, err := m.report(ctx, messages)
	switch {
	case err != nil:
		m.Failed.Add(1)
		return
	case len(failed) > 0 && len(failed) < len(messages):
		m.Partial.Add(1)
	}
	var done []types.DeleteMessageBatchRequestEntry
	for i, msg := range messages {
		if !slices.Contains(failed, aws.ToString(msg.MessageId)) {
			done = append(done, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: msg.ReceiptHandle})
		}
	}
	if len(done) > 0 { // a deletion that fails repeats the message, as it may on AWS
		_, _ = m.Client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: aws.String(m.Queue), Entries: done})
	}
}

// report invokes the function and returns the ids of the messages that it reports as failed. A report of a message that was
// not in the batch fails all of it, as on AWS.
func (m *Mapping) report(ctx context.Context, messages []types.Message) ([]string, error) {
	event, err := json.Marshal(m.event(messages))
	if err != nil {
		return nil, err
	}
	answer, err := m.Function.Invoke(ctx, event)
	if err != nil {
		return nil, err
	}
	var report awsevents.SQSEventResponse
	if err := json.Unmarshal(answer, &report); err != nil {
		return nil, err
	}
	var failed []string
	for _, f := range report.BatchItemFailures {
		if !slices.ContainsFunc(messages, func(msg types.Message) bool { return aws.ToString(msg.MessageId) == f.ItemIdentifier }) {
			return nil, fmt.Errorf("lambdatest: %q was not in the batch", f.ItemIdentifier)
		}
		failed = append(failed, f.ItemIdentifier)
	}
	return failed, nil
}

func (m *Mapping) event(messages []types.Message) awsevents.SQSEvent {
	var event awsevents.SQSEvent
	for _, msg := range messages {
		event.Records = append(event.Records, awsevents.SQSMessage{
			MessageId: aws.ToString(msg.MessageId), ReceiptHandle: aws.ToString(msg.ReceiptHandle), Body: aws.ToString(msg.Body),
			Md5OfBody: aws.ToString(msg.MD5OfBody), Attributes: msg.Attributes, MessageAttributes: attributes(msg.MessageAttributes),
			EventSource: "aws:sqs", AWSRegion: "us-east-1",
			EventSourceARN: "arn:aws:sqs:us-east-1:000000000000:" + path.Base(m.Queue),
		})
	}
	return event
}

func attributes(of map[string]types.MessageAttributeValue) map[string]awsevents.SQSMessageAttribute {
	all := make(map[string]awsevents.SQSMessageAttribute, len(of))
	for name, a := range of {
		all[name] = awsevents.SQSMessageAttribute{DataType: aws.ToString(a.DataType), StringValue: a.StringValue, BinaryValue: a.BinaryValue}
	}
	return all
}
