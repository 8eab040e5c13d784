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
}

// Answer is what a model answered. There is something in it to keep: text, or else a message that holds tool calls, a
// refusal or audio. Or there is no word in it since the request's own bounds left room for none: its tokens, or its stop
// sequences.
type Answer struct {
	Message      json.RawMessage // the assistant's message as the server wrote it
	Output       string          // the message's text; empty where it has none
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
