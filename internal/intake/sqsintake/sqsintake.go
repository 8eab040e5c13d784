// Package sqsintake takes in requests from queues of SQS: BASE-in-TENANT for each tenant whose configuration says so, where
// BASE is what the names of the chain's own queues begin with. Whoever deploys the chain makes them.
//
// A message is a CloudEvent in structured mode, or a request by itself; the attribute content-type may say which. A message
// with an attribute ce-specversion is a CloudEvent in the manner of the binary mode, whose attributes are ce-NAME. Where
// nothing in a message names the request, the id that SQS gave the message does.
//
// Delivery: at least once, under a lease that is the message's visibility timeout. A message is deleted once its request is
// stored. A redrive policy of the queue must allow many receipts, or have none: a message that waits for its tenant's rate
// is received each time it is tried, and one that will never be taken becomes a dead letter of the chain and not of SQS.
// Order: none is promised.
// Size: SQS's own limit; what is over the configuration's limit of a body is refused.
//
// On AWS Lambda an event source mapping receives the messages: [Arrival] and [Tenant] read what it hands over, for
// [intake.Taker.Batch].
package sqsintake

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/intake"
)

// Options of the door. The zero value of a field but URL means its default.
type Options struct {
	// URL is what the URLs of the chain's queues begin with, as for package sqsbus.
	URL   string
	Lease time.Duration // of a delivery, in whole seconds; default 1m
	Wait  time.Duration // of one poll, in whole seconds; default 20s, the longest that SQS waits
}

const (
	maxBatch  = 10               // of SQS, in one receipt
	maxLease  = 12 * time.Hour   // of SQS
	pollSlack = 15 * time.Second // what a poll may take beyond its wait: past it the connection is dead
)

// Kind is the kind of door. It implements [intake.Kind].
type Kind struct {
	client *sqs.Client
	opts   Options
}

// New returns the kind.
func New(client *sqs.Client, o Options) *Kind {
	if o.Lease == 0 {
		o.Lease = time.Minute
	}
	if o.Wait == 0 {
		o.Wait = 20 * time.Second
	}
	return &Kind{client, o}
}

// QueueURL returns the URL of the tenant's queue.
func QueueURL(base, tenant string) string { return base + "-in-" + tenant }

// Tenant returns the tenant whose queue has the ARN or URL, by its name alone, or false if it is none.
func Tenant(base, queue string) (name string, ok bool) {
	queue = queue[strings.LastIndexAny(queue, ":/")+1:]
	name, ok = strings.CutPrefix(queue, path.Base(base)+"-in-")
	if !ok || name == "" {
		return "", false
	}
	return name, true
}

// Wanted reports whether the tenant's requests are taken from its queue.
func Wanted(t *catalog.Tenant) bool { return t.Intake.SQS }

// Name implements [intake.Kind].
func (k *Kind) Name() string { return "sqs" }

// Places implements [intake.Kind].
func (k *Kind) Places(c *catalog.Catalog) []intake.Place {
	var all []intake.Place
	for name, t := range c.Tenants {
		if Wanted(t) {
			all = append(all, intake.Place{Tenant: name, Where: QueueURL(k.opts.URL, name)})
		}
	}
	return all
}

// Open implements [intake.Kind]. It sends nothing yet.
func (k *Kind) Open(_ context.Context, p intake.Place) (intake.Source, error) {
	return &source{client: k.client, url: p.Where, opts: k.opts}, nil
}

// source is one tenant's queue.
type source struct {
	client *sqs.Client
	url    string
	opts   Options
}

// Close implements [intake.Source].
func (s *source) Close() {}

// Run implements [intake.Source].
func (s *source) Run(ctx context.Context, take func(intake.Delivery)) error {
	for ctx.Err() == nil {
		got, err := s.poll(ctx)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("sqsintake: receive from %s: %w", path.Base(s.url), err)
		}
		for _, m := range got {
			take(s.delivery(m))
		}
	}
	return nil
}

func (s *source) poll(ctx context.Context) ([]types.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Wait+pollSlack)
	defer cancel()
	out, err := s.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &s.url, MaxNumberOfMessages: maxBatch,
		WaitTimeSeconds: seconds(s.opts.Wait), VisibilityTimeout: seconds(s.opts.Lease),
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
	})
	if _, gone := errors.AsType[*types.QueueDoesNotExist](err); gone {
		return nil, errors.New("there is no such queue")
	}
	if err != nil {
		return nil, err
	}
	return out.Messages, nil
}

func (s *source) delivery(m types.Message) intake.Delivery {
	attributes := make(map[string]string, len(m.MessageAttributes))
	for name, a := range m.MessageAttributes {
		attributes[name] = aws.ToString(a.StringValue)
	}
	d := intake.Delivery{
		Arrival: Arrival(aws.ToString(m.MessageId), aws.ToString(m.Body), attributes), Where: path.Base(s.url),
		Settler: &settler{s, aws.ToString(m.ReceiptHandle)},
	}
	d.Number, _ = strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]) // 0: it does not say
	return d
}

// Arrival reads a message: the id that SQS gave it, its body, and the values of its attributes that are text.
func Arrival(messageID, body string, attributes map[string]string) ingest.Arrival {
	a := ingest.Arrival{ID: "sqs " + messageID, Data: []byte(body)}
	event := map[string]string{}
	for given, value := range attributes {
		name := strings.ToLower(given)
		attribute, ok := strings.CutPrefix(name, "ce-")
		switch {
		case ok:
			event[attribute] = value
		case name == "content-type":
			a.ContentType = value
		case name == "traceparent":
			a.TraceParent = value
		case name == "tracestate":
			a.TraceState = value
		}
	}
	if event["specversion"] != "" {
		a.Attributes = event
	}
	return a
}

// settler settles a message.
type settler struct {
	source *source
	handle string
}

// Ack implements [intake.Settler].
func (s *settler) Ack(ctx context.Context) error {
	_, err := s.source.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &s.source.url, ReceiptHandle: &s.handle})
	if err != nil {
		return fmt.Errorf("sqsintake: delete: %w", err)
	}
	return nil
}

// Return implements [intake.Settler].
func (s *settler) Return(ctx context.Context, delay time.Duration) error {
	_, err := s.source.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &s.source.url, ReceiptHandle: &s.handle, VisibilityTimeout: seconds(delay),
	})
	if err != nil {
		return fmt.Errorf("sqsintake: change visibility: %w", err)
	}
	return nil
}

// seconds returns d in whole seconds, rounded up: what is delayed must not come early.
func seconds(d time.Duration) int32 {
	return int32((min(max(d, 0), maxLease) + time.Second - 1) / time.Second)
}
