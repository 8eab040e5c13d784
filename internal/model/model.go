// Package model holds the clients of model servers: each makes one call of one target and says what it came to, as an
// [Answer] or as an [*Error] whose code is one of the closed set of package events.
//
// A client holds no policy. It never tries a second time, not even on a fresh connection: whether, when and where a
// request is tried again is for the chain to decide, since each call may cost money.
package model

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
)

// Call is one call of a target.
type Call struct {
	Target  *catalog.Target
	Request events.Request

	// ID is the same for every repetition of this call; a server that knows the header gets it as Idempotency-Key.
	ID string
	// TraceParent and TraceState are the W3C trace context to hand on; empty: none.
	TraceParent, TraceState string
	// Expiry is when the request's deadline passes: the call ends then, whatever the target's timeout. Zero: no deadline.
	Expiry time.Time

	// Delta, if set, asks for the answer while it is made. It is called for each piece in order, by one goroutine, and not
	// after the call has returned; it does not wait. What is said by pieces is the start of the answer that is returned, unless
	// the call fails.
	Delta func(Delta)
	// Expand, if set, returns the request's messages with everything in them that they only refer to. Its errors are
	// [*Error]s. Nil: the messages are whole as they are.
	Expand func(ctx context.Context, t *catalog.Target, messages json.RawMessage) (Body, error)
}

// Delta is a piece of an answer.
type Delta struct {
	Text    string          // what it adds to the output
	Choices json.RawMessage // the choices of a chunk, as OpenAI shapes them
}

// Body is content that need not be in memory.
type Body struct {
	Size int64                                            // in bytes
	Open func(ctx context.Context) (io.ReadCloser, error) // from the start, each time; an [*Error] of the reader says why it ends
}

// Answer is what a model answered. There is something in it to keep: text, or else a message that holds tool calls, a
// refusal or audio. Or there is no word in it since the request's own bounds left room for none: its tokens, or its stop
// sequences.
type Answer struct {
	Message      json.RawMessage // the assistant's message as the server wrote it
	Output       string          // the message's text; empty where it has none
	Choices      json.RawMessage // all choices, where the message does not say it all: several, log probabilities, text completions
	Embeddings   json.RawMessage // the data of an answer to [events.Embeddings]; then there is no message
	FinishReason string
	Usage        *events.Usage // nil where the server did not say
}

// Client calls the targets of one api.
//
// Call makes exactly one call. Its error is an [*Error] when the call came to nothing, and ctx's error, wrapped, when it
// was cut short because ctx is done; the answer then is of no use. Call is safe for concurrent use, and keeps nothing of
// call after it returned.
type Client interface {
	Call(ctx context.Context, call Call) (Answer, error)
}

// Clients is the client of each api, by the name that a target's api has in the configuration. It must not be changed
// once it is in use.
type Clients map[string]Client

// Call makes the call with the client of the target's api. A target whose api has no client is [events.CodeTargetGone]:
// for this process it is as if the target were not there, and another may do.
func (c Clients) Call(ctx context.Context, call Call) (Answer, error) {
	client, ok := c[call.Target.API]
	if !ok {
		err := NewError(events.CodeTargetGone, fmt.Errorf("no client for api %q", call.Target.API))
		err.Target, err.Message = call.Target.Name, sentenceNoClient
		return Answer{}, err
	}
	return client.Call(ctx, call)
}
