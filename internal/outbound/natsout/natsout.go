// Package natsout delivers results to subjects of NATS, over JetStream.
//
// A message is a CloudEvent in binary mode (CloudEvents NATS binding 1.0, section 3.1): its attributes are headers ce-NAME,
// percent-encoded where the binding says so, and its data is the payload, byte for byte what an HTTP receiver would get. The
// headers of Standard Webhooks stand beside them, in lower case, so a receiver verifies it as it would verify a POST.
// Nats-Msg-Id is the event's id, the same on every try: a stream stores it once within its duplicate window.
//
// Delivery: at least once. It is done when a stream has confirmed that it stored the message; a subject that no stream
// captures is an error, however many listen to it.
// Size: the server's max_payload, headers included.
package natsout

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/outbound"
)

// Publisher delivers over one connection, which stays its caller's to close. It is safe for concurrent use.
type Publisher struct{ js jetstream.JetStream }

// New returns a publisher.
func New(js jetstream.JetStream) *Publisher { return &Publisher{js} }

// Deliver implements [outbound.Deliverer].
func (p *Publisher) Deliver(ctx context.Context, subject string, m outbound.Message) error {
	if _, err := outbound.Parse(outbound.NATS + "://" + subject); err != nil {
		return fmt.Errorf("%w: it %w", outbound.ErrRefused, err)
	}
	msg := encode(subject, m)
	if limit := p.js.Conn().MaxPayload(); int64(msg.Size()) > limit {
		return fmt.Errorf("%w: %d bytes with its attributes, limit %d", outbound.ErrTooLarge, msg.Size(), limit)
	}
	_, err := p.js.PublishMsg(ctx, msg)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		return errors.New("no stream captures the subject")
	case ctx.Err() != nil:
		return errors.New("the server did not confirm in time")
	default:
		return fmt.Errorf("publish: %w", err)
	}
}

func encode(subject string, m outbound.Message) *nats.Msg {
	msg := &nats.Msg{Subject: subject, Header: make(nats.Header, len(m.Attributes)+len(m.Webhook)+2), Data: m.Data}
	for name, value := range m.Attributes {
		msg.Header["ce-"+name] = []string{events.EncodeHeader(value)}
	}
	msg.Header["ce-datacontenttype"] = []string{outbound.ContentType}
	for name := range m.Webhook {
		msg.Header[strings.ToLower(name)] = []string{m.Webhook.Get(name)}
	}
	msg.Header[jetstream.MsgIDHeader] = []string{m.ID}
	return msg
}
