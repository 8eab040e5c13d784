package events

import (
	_ "embed"
	"encoding/json"
)

// Request is the unified request as the chain reads it. What the chain forwards untouched stays raw. Whether bytes are a
// valid request is for the JSON Schema to say ([RequestSchema]); this type only gives its fields names.
type Request struct {
	RequestID       string                     `json:"request_id,omitempty"`
	ModelID         string                     `json:"model_id"`
	Prompt          *string                    `json:"prompt,omitempty"`
	Messages        json.RawMessage            `json:"messages,omitempty"`   // in OpenAI's shape
	Operation       string                     `json:"operation,omitempty"`  // what is asked of the model; empty: [Chat]
	Input           json.RawMessage            `json:"input,omitempty"`      // of operations other than chat, in OpenAI's shape
	Parameters      map[string]json.RawMessage `json:"parameters,omitempty"` // passed through to the model
	CallbackURL     string                     `json:"callback_url,omitempty"`
	Callbacks       []CallbackRequest          `json:"callbacks,omitempty"`
	Stream          bool                       `json:"stream,omitempty"` // the answer is wanted while it is made, too
	Priority        Priority                   `json:"priority,omitempty"`
	DeadlineSeconds float64                    `json:"deadline_seconds,omitempty"`
	Metadata        map[string]string          `json:"metadata,omitempty"`
}

// The operations, in the words of OpenTelemetry's GenAI conventions (gen_ai.operation.name).
const (
	Chat           = "chat"            // messages or a prompt in, an assistant's message out
	TextCompletion = "text_completion" // input in, choices of text out
	Embeddings     = "embeddings"      // input in, vectors out
)

// CallbackRequest is one more receiver, and what it wants to be told.
type CallbackRequest struct {
	URL    string   `json:"url"`
	Events []string `json:"events,omitempty"` // of completed, failed and attempt_failed; none: completed and failed
}

//go:embed inference-request.schema.json
var requestSchema []byte

// RequestSchema returns the JSON Schema (2020-12) of the unified request, which is served at [SchemaPath].
func RequestSchema() []byte { return requestSchema }
