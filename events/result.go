package events

import (
	"encoding/json"
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
	Message      json.RawMessage   `json:"message,omitempty"` // the assistant's message as OpenAI shapes it
	FinishReason string            `json:"finish_reason,omitempty"`
	Usage        *Usage            `json:"usage,omitempty"`
	Cached       bool              `json:"cached"`
	Attempts     int               `json:"attempts"`
	Error        *ResultError      `json:"error,omitempty"`
	Timings      Timings           `json:"timings"`
	Metadata     map[string]string `json:"metadata,omitempty"`
}

// Usage counts the tokens of an attempt, as the model reported them.
type Usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

// ResultError is why a request failed. Code is one of the error codes of this package.
type ResultError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Timings of a request. QueueMS is from acceptance to the start of the last attempt, InferenceMS that attempt's own time.
type Timings struct {
	AcceptedAt  time.Time `json:"accepted_at"`
	CompletedAt time.Time `json:"completed_at"`
	QueueMS     int64     `json:"queue_ms"`
	InferenceMS int64     `json:"inference_ms"`
}
