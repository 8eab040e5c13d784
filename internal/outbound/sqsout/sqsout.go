// Package sqsout delivers results to queues of SQS, in the account and region of the chain's own.
//
// There is no SQS binding of CloudEvents, and SQS takes ten attributes of a message at most. A message of this package is
// in the manner of the binary mode: its body is the data, byte for byte what an HTTP receiver would get, so that the
// signature of Standard Webhooks is over the body. Its attributes, of type String, are
//
//	content-type                                       application/json
//	webhook-id, webhook-timestamp, webhook-signature   as of a POST
//	ce-specversion, ce-id, ce-source, ce-type, ce-subject
//	content-encoding                                   base64, and then the body is; only where it must be
//
// What else an HTTP receiver gets as ce-* is in the result. A body is in base64 if it has a character that SQS does not take
// (SendMessage, MessageBody): the signature is over what it decodes to.
//
// Delivery: at least once. It is done when SQS has confirmed the message. A queue that keeps an order has the request as its
// message group, and the event's id as its deduplication id.
// Size: 1 MiB, attributes included.
package sqsout

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"baton.dev/baton/internal/outbound"
)

// maxBytes is SQS's own limit.
const maxBytes = 1 << 20

// Sender delivers to queues. It is safe for concurrent use.
type Sender struct {
	client *sqs.Client
	home   string // what the URLs of all queues begin with
	own    string // what the names of the chain's own queues begin with
}

// New returns a sender. The URL is what the URLs of the chain's own queues begin with, as for package sqsbus: the queues that
// results go to are beside those, and never among them.
func New(client *sqs.Client, url string) *Sender {
	slash := strings.LastIndexByte(url, '/') + 1
	return &Sender{client: client, home: url[:slash], own: url[slash:] + "-"}
}

// Deliver implements [outbound.Deliverer].
func (s *Sender) Deliver(ctx context.Context, queue string, m outbound.Message) error {
	if _, err := outbound.Parse(outbound.SQS + "://" + queue); err != nil {
		return fmt.Errorf("%w: it %w", outbound.ErrRefused, err)
	}
	if strings.HasPrefix(queue, s.own) {
		return fmt.Errorf("%w: queues that begin with %q are", outbound.ErrRefused, s.own)
	}
	in := encode(m)
	if size := sizeOf(in); size > maxBytes {
		return fmt.Errorf("%w: %d bytes with its attributes, limit %d", outbound.ErrTooLarge, size, maxBytes)
	}
	in.QueueUrl = aws.String(s.home + queue)
	if outbound.Ordered(queue) {
		in.MessageGroupId, in.MessageDeduplicationId = aws.String(m.Subject), aws.String(m.ID)
	}
	_, err := s.client.SendMessage(ctx, in)
	return describe(ctx, err)
}

// describe says what went wrong in words of this package: an error of the SDK holds addresses and request ids.
func describe(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*types.QueueDoesNotExist](err); ok {
		return errors.New("there is no such queue")
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return fmt.Errorf("SQS answers %s", api.ErrorCode())
	}
	if ctx.Err() != nil {
		return errors.New("SQS did not confirm in time")
	}
	return errors.New("SQS cannot be reached")
}

// attributes are those of the CloudEvent that are sent.
var attributes = []string{"specversion", "id", "source", "type", "subject"}

func encode(m outbound.Message) *sqs.SendMessageInput {
	in := &sqs.SendMessageInput{MessageAttributes: make(map[string]types.MessageAttributeValue, 10)}
	set := func(name, value string) {
		if value != "" { // which SQS takes for none
			in.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
		}
	}
	set("content-type", outbound.ContentType)
	for name := range m.Webhook {
		set(strings.ToLower(name), m.Webhook.Get(name))
	}
	for _, name := range attributes {
		set("ce-"+name, m.Attributes[name])
	}
	if acceptable(m.Data) {
		in.MessageBody = aws.String(string(m.Data))
	} else {
		set("content-encoding", "base64")
		in.MessageBody = aws.String(base64.StdEncoding.EncodeToString(m.Data))
	}
	return in
}

// acceptable reports whether SQS takes the body: #x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD and #x10000 to #x10FFFF.
func acceptable(body []byte) bool {
	if len(body) == 0 || !utf8.Valid(body) {
		return false
	}
	for _, c := range string(body) {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == '\uFFFE' || c == '\uFFFF' {
			return false
		}
	}
	return true
}

// sizeOf returns what SQS counts: the body, and of each attribute its name, type and value.
func sizeOf(in *sqs.SendMessageInput) int {
	size := len(aws.ToString(in.MessageBody))
	for name, a := range in.MessageAttributes {
		size += len(name) + len(aws.ToString(a.DataType)) + len(aws.ToString(a.StringValue))
	}
	return size
}
