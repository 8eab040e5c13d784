package outbound

import (
	"errors"
	"fmt"
	"strings"
)

// Destination is a subject or a queue.
type Destination struct {
	Scheme string // NATS or SQS
	Name   string // the subject, or the queue's name
}

// String returns the destination as a caller writes it.
func (d Destination) String() string { return d.Scheme + "://" + d.Name }

// Bounds of names: SQS's own of a queue (CreateQueue, QueueName), and of a subject what the NATS documentation advises.
const (
	maxQueue   = 80
	maxSubject = 255
)

// fifo ends the name of an SQS queue that keeps an order.
const fifo = ".fifo"

// Is reports whether a callback URL names a destination of this package, rightly or not.
func Is(raw string) bool {
	scheme, _, ok := strings.Cut(raw, "://")
	return ok && (scheme == NATS || scheme == SQS)
}

// Parse reads a destination. Its error is a phrase about the URL that is meant for the caller, such as "must name a queue".
//
// A subject is more than one token or one, of letters, digits, - and _, without wildcards. It is none of the server's own
// subjects, some of which are commands, and none of the chain's own, which begin with baton: what is published there
// would be taken for an event of the chain.
func Parse(raw string) (Destination, error) {
	scheme, name, _ := strings.Cut(raw, "://")
	switch scheme {
	case NATS:
		return Destination{NATS, name}, subjectFault(name)
	case SQS:
		return Destination{SQS, name}, queueFault(name)
	default:
		return Destination{}, errors.New("must begin with nats:// or sqs://")
	}
}

func subjectFault(subject string) error {
	if subject == "" {
		return errors.New("must name a subject, as in nats://results.search")
	}
	if len(subject) > maxSubject {
		return fmt.Errorf("names a subject of more than %d characters", maxSubject)
	}
	tokens := strings.Split(subject, ".")
	for _, token := range tokens {
		if !plain(token) {
			return errors.New("must name a subject of tokens with a dot between them, each of letters, digits, - and _")
		}
	}
	if tokens[0] == "baton" || tokens[0][0] == '_' {
		return errors.New("names a subject that is not for results: none that begins with baton or _ is")
	}
	return nil
}

func queueFault(queue string) error {
	switch {
	case queue == "":
		return errors.New("must name a queue, as in sqs://search-results")
	case len(queue) > maxQueue:
		return fmt.Errorf("names a queue of more than %d characters", maxQueue)
	case !plain(strings.TrimSuffix(queue, fifo)):
		return errors.New("must name a queue of the chain's own account by its name: letters, digits, - and _, " +
			"and .fifo at the end of one that keeps an order")
	default:
		return nil
	}
}

func plain(token string) bool {
	return token != "" &&
		strings.Trim(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// Ordered reports whether the name is of an SQS queue that keeps an order.
func Ordered(queue string) bool { return strings.HasSuffix(queue, fifo) }
