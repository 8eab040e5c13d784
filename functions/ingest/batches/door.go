package batches

import (
	"context"
	"io"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

// Door is where requests are taken in, and where it is asked what became of them. A [*ingest.Server] is one.
type Door interface {
	Taker
	Teller
}

// Taker takes requests in.
type Taker interface {
	// Paced is the problem of a tenant that submits faster than its rate, or nil: then one more counts.
	Paced(ctx context.Context, c *ingest.Caller) *problem.Problem
	// TakeBody takes the large parts out of a body, as they are taken out of one that is posted by itself.
	TakeBody(ctx context.Context, c *ingest.Caller, body []byte) (ingest.Body, *problem.Problem)
	// Discard removes what was taken out of a body that is not submitted.
	Discard(ctx context.Context, b ingest.Body)
	// Submit takes in a request. What was taken out of one that it refuses it removes.
	Submit(ctx context.Context, c *ingest.Caller, sub ingest.Submission) (ingest.Receipt, *problem.Problem)
}

// Teller knows what became of requests.
type Teller interface {
	Look(ctx context.Context, c *ingest.Caller, messageID string) (results.Standing, *problem.Problem)
	Cancel(ctx context.Context, c *ingest.Caller, messageID string) (events.Status, *problem.Problem)
}

// Files is where the tenants' files are kept.
type Files interface {
	// Keep stores a file that its tenant can then read, under the given id, until it expires.
	Keep(ctx context.Context, tenant, id, name, purpose string, expires time.Time, content io.Reader) error
}

// Dialect turns lines into requests and what became of them into responses.
type Dialect interface {
	// Request returns the unified request of a body, or the status and body by which it is refused.
	Request(endpoint string, body []byte) (request []byte, status int, refusal []byte)
	// Refusal returns the status and body of a problem of a given body.
	Refusal(endpoint string, given []byte, p *problem.Problem) (status int, body []byte)
	// Response returns the status and body of a request that has ended: the same each time.
	Response(endpoint, messageID string, st results.Standing) (status int, body []byte)
}
