package events

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"time"
)

// Status is where a request stands.
type Status string

// The statuses. The last three are terminal: exactly one of them ends a request.
const (
	StatusQueued    Status = "queued"
	StatusRunning   Status = "running"
	StatusCompleted Status = "completed"
	StatusFailed    Status = "failed"
	StatusCanceled  Status = "canceled"
)

// Result is what a request came to: the data of completed and failed events, the body of the callback and the answer to
// polling, byte for byte the same.
type Result struct {
	MessageID    string            `json:"message_id"`
	RequestID    string            `json:"request_id"`
	Status       Status            `json:"status"`
	ModelID      string            `json:"model_id"`
	Target       string            `json:"target,omitempty"`
	Output       string            `json:"output,omitempty"`
	Message      json.RawMessage   `json:"message,omitempty"`    // the assistant's message as OpenAI shapes it
	Choices      json.RawMessage   `json:"choices,omitempty"`    // all of them, where one message does not say it all
	Embeddings   json.RawMessage   `json:"embeddings,omitempty"` // the data of an embeddings answer, as OpenAI shapes it
	FinishReason string            `json:"finish_reason,omitempty"`
	Usage        *Usage            `json:"usage,omitempty"`
	Cached       bool              `json:"cached"`
	Attempts     int               `json:"attempts"` // that were begun
	Error        *ResultError      `json:"error,omitempty"`
	Timings      Timings           `json:"timings"`
	Metadata     map[string]string `json:"metadata,omitempty"`
}

//go:embed inference-result.schema.json
var resultSchema []byte

// ResultSchemaPath is where the schema of results is served.
const ResultSchemaPath = "/schemas/inference-result.json"

// ResultSchemaURI is the schema's own id, and the dataschema of terminal events.
const ResultSchemaURI = "https://baton.dev" + ResultSchemaPath

// ResultSchema returns the JSON Schema (2020-12) of results, which is served at [ResultSchemaPath].
func ResultSchema() []byte { return resultSchema }

// Encode returns the result as it is delivered and polled: fields in the order of [Result], metadata sorted, and text as the
// model wrote it, without escapes for HTML.
func (r Result) Encode() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(512 + len(r.Output) + len(r.Message))
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("events: encode result of %s: %w", r.MessageID, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Usage counts the tokens of an attempt, as the model reported them.
type Usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`

	PromptDetails     json.RawMessage `json:"prompt_tokens_details,omitempty"`
	CompletionDetails json.RawMessage `json:"completion_tokens_details,omitempty"`
}

// ResultError is why a request failed. Code is one of the error codes of this package.
type ResultError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Timings of a request. For one that completed, QueueMS is from acceptance to the start of the last attempt and InferenceMS
// that attempt's own time; for one that failed, QueueMS is all of its time.
type Timings struct {
	AcceptedAt  time.Time `json:"accepted_at"`
	CompletedAt time.Time `json:"completed_at"`
	QueueMS     int64     `json:"queue_ms"`
	InferenceMS int64     `json:"inference_ms"`
}
