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
	Parameters      map[string]json.RawMessage `json:"parameters,omitempty"` // passed through to the model
	CallbackURL     string                     `json:"callback_url,omitempty"`
	Priority        Priority                   `json:"priority,omitempty"`
	DeadlineSeconds float64                    `json:"deadline_seconds,omitempty"`
	Metadata        map[string]string          `json:"metadata,omitempty"`
}

//go:embed inference-request.schema.json
var requestSchema []byte

// RequestSchema returns the JSON Schema (2020-12) of the unified request, which is served at [SchemaPath].
func RequestSchema() []byte { return requestSchema }
