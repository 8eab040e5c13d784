// Package outbound is where a result can be delivered beside HTTP: a subject of NATS, or a queue of SQS, as
// nats://SUBJECT and sqs://QUEUE name them. It knows no broker: package natsout and package sqsout are the brokers' sides.
//
// What is sent is the event that an HTTP receiver gets: the same bytes, the same signature over them, and under the same id
// on every try. See each side for where its parts stand in a message.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// The schemes of destinations.
const (
	NATS = "nats"
	SQS  = "sqs"
)

// Message is what is delivered.
type Message struct {
	ID         string            // of the event; the same on every try
	Subject    string            // of the event: the message id of the request
	Attributes map[string]string // of the CloudEvent, by name, the content type not among them
	Webhook    http.Header       // the headers of Standard Webhooks, over ID and Data
	Data       []byte            // JSON
}

// ContentType is that of a message's data.
const ContentType = "application/json"

var (
	// ErrNotConfigured says that this process has no way to destinations of the scheme.
	ErrNotConfigured = errors.New("outbound: this chain has no way there")
	// ErrTooLarge says that the message is larger than the broker takes.
	ErrTooLarge = errors.New("outbound: the message is larger than the broker takes")
	// ErrRefused says that what is named is not for results, whatever the configuration allows.
	ErrRefused = errors.New("outbound: the destination is the chain's own")
)

// Deliverer delivers to destinations of one scheme. It returns once the broker has confirmed that it stored the message;
// any other error than the ones above may pass. It is safe for concurrent use, and keeps nothing of the message.
type Deliverer interface {
	Deliver(ctx context.Context, name string, m Message) error
}

// Routes are the ways there are, by scheme. The nil map has none.
type Routes map[string]Deliverer

// Deliver delivers the message to the destination.
func (r Routes) Deliver(ctx context.Context, to Destination, m Message) error {
	d, ok := r[to.Scheme]
	if !ok {
		return fmt.Errorf("%w: %s://", ErrNotConfigured, to.Scheme)
	}
	return d.Deliver(ctx, to.Name, m)
}

// Schemes returns the schemes of the destinations that can be reached, sorted.
func (r Routes) Schemes() []string { return slices.Sorted(maps.Keys(r)) }
