package replay

import (
	"errors"
	"fmt"
	"time"

	"baton.dev/baton/events"
)

// Version is that of the trace's format.
const Version = 1

// Line is one line of a trace. The package documentation says what its members mean.
type Line struct {
	V            int             `json:"v"`
	At           time.Time       `json:"at"`
	Event        string          `json:"event"`
	MessageID    string          `json:"message_id"`
	Tenant       string          `json:"tenant,omitempty"`
	Priority     events.Priority `json:"priority,omitempty"`
	Model        string          `json:"model,omitempty"`
	Target       string          `json:"target,omitempty"`
	Attempt      int             `json:"attempt,omitempty"`
	Code         string          `json:"code,omitempty"`
	Expiry       time.Time       `json:"expiry,omitzero"`
	NotBefore    time.Time       `json:"not_before,omitzero"`
	Same         string          `json:"same,omitempty"`
	Cached       bool            `json:"cached,omitempty"`
	Usage        *events.Usage   `json:"usage,omitempty"`
	InferenceMS  *float64        `json:"inference_ms,omitempty"`
	FinishReason string          `json:"finish_reason,omitempty"`
}

// The events of a trace: the words that [events.Type.Step] returns.
const (
	requested     = "requested"
	scheduled     = "scheduled"
	attemptFailed = "attempt_failed"
	completed     = "completed"
	failed        = "failed"
)

const (
	// maxAttempt is far over what the most attempts and bounces of a request make.
	maxAttempt = 10_000
	// maxTokens is far over what any model takes or gives, and small enough that a cost fits its type.
	maxTokens = 1_000_000_000
	// maxInference is more than any call may take, a day, in milliseconds.
	maxInference = 24 * 60 * 60 * 1000
	// maxWord bounds the ids and names of a line, in bytes.
	maxWord = 256
)

// check reports the first thing that is wrong with a line of this version.
func (l *Line) check() error {
	switch {
	case l.At.IsZero():
		return errors.New(`"at" is missing`)
	case l.At.Year() < 1970 || l.At.Year() > 2200:
		return fmt.Errorf(`"at" is in the year %d`, l.At.Year())
	case l.MessageID == "":
		return errors.New(`"message_id" is missing`)
	case l.Attempt < 0 || l.Attempt > maxAttempt:
		return fmt.Errorf(`"attempt" is %d: want 0 to %d`, l.Attempt, maxAttempt)
	case l.InferenceMS != nil && (*l.InferenceMS < 0 || *l.InferenceMS > maxInference):
		return fmt.Errorf(`"inference_ms" is out of range: want 0 to %d`, maxInference)
	}
	for name, word := range map[string]string{
		"message_id": l.MessageID, "tenant": l.Tenant, "model": l.Model, "target": l.Target, "code": l.Code,
		"same": l.Same, "finish_reason": l.FinishReason,
	} {
		if len(word) > maxWord {
			return fmt.Errorf("%q is over %d bytes", name, maxWord)
		}
	}
	for name, at := range map[string]time.Time{"expiry": l.Expiry, "not_before": l.NotBefore} {
		if !at.IsZero() && (at.Year() < 1970 || at.Year() > 2200) {
			return fmt.Errorf("%q is in the year %d", name, at.Year())
		}
	}
	if u := l.Usage; u != nil && (!tokens(u.PromptTokens) || !tokens(u.CompletionTokens) || !tokens(u.TotalTokens)) {
		return fmt.Errorf(`"usage" is out of range: want 0 to %d tokens`, maxTokens)
	}
	return l.complete()
}

func tokens(n int) bool { return n >= 0 && n <= maxTokens }

// complete reports what the line must have for its event and has not.
func (l *Line) complete() error {
	attempted := func() error {
		if l.Target == "" || l.Attempt == 0 {
			return fmt.Errorf("%s has no target or no attempt", l.Event)
		}
		return nil
	}
	switch l.Event {
	case requested:
		if l.Model == "" || !l.Priority.Valid() {
			return errors.New("requested has no model, or no priority high, normal or low")
		}
	case scheduled:
		return attempted()
	case attemptFailed:
		if l.Code == "" {
			return errors.New("attempt_failed has no code")
		}
		return attempted()
	case completed:
		if !l.Cached {
			return attempted()
		}
	case failed:
		if l.Code == "" {
			return errors.New("failed has no code")
		}
	default:
		return fmt.Errorf("event %q is unknown: want requested, scheduled, attempt_failed, completed or failed", l.Event)
	}
	return nil
}
