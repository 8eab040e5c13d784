package answers

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"baton.dev/baton/events"
)

// Answer is what the result of an equal request is made of. Copies share what is raw and Usage, which must not be written to.
type Answer struct {
	ModelID      string          `json:"model_id,omitempty"`
	Target       string          `json:"target,omitempty"` // that was called
	Output       string          `json:"output,omitempty"`
	Message      json.RawMessage `json:"message,omitempty"`
	Choices      json.RawMessage `json:"choices,omitempty"`
	Embeddings   json.RawMessage `json:"embeddings,omitempty"`
	FinishReason string          `json:"finish_reason,omitempty"`
	Usage        *events.Usage   `json:"usage,omitempty"` // of the call that was made and paid for
	StoredAt     time.Time       `json:"stored_at"`
}

// Of returns what a result says that holds for equal requests too.
func Of(r events.Result) Answer {
	return Answer{
		ModelID: r.ModelID, Target: r.Target, Output: r.Output, Message: r.Message, Choices: r.Choices, Embeddings: r.Embeddings,
		FinishReason: r.FinishReason, Usage: r.Usage, StoredAt: r.Timings.CompletedAt,
	}
}

// whole are the finish reasons of an answer that the model ended by itself: OpenAI's, those of servers that speak its
// protocol with words of their own, and none, which is what a server says that gives no reasons. A list of those that are
// not whole could not be complete: length, content_filter, max_tokens, abort, model_length and more.
var whole = []string{"stop", "tool_calls", "function_call", "end_turn", "stop_sequence", "tool_use", "eos_token", ""}

// Cachable reports whether the result may answer equal requests: it completed by a call of a model, the model says nothing
// of a truncation, of none of its choices, and there is something in it.
func Cachable(r events.Result) bool {
	return r.Status == events.StatusCompleted && !r.Cached && slices.Contains(whole, r.FinishReason) && wholeChoices(r.Choices) &&
		(r.Output != "" || len(r.Message) > 0 || len(r.Embeddings) > 0)
}

// wholeChoices reports whether none of the choices is cut short, as far as they can be read.
func wholeChoices(raw json.RawMessage) bool {
	if len(raw) == 0 {
		return true
	}
	var choices []struct {
		FinishReason string `json:"finish_reason"`
	}
	if json.Unmarshal(raw, &choices) != nil {
		return false
	}
	for _, c := range choices {
		if !slices.Contains(whole, c.FinishReason) {
			return false
		}
	}
	return true
}

// size is about what the answer takes in memory, in bytes.
func (a *Answer) size() int {
	return len(a.Output) + len(a.Message) + len(a.Choices) + len(a.Embeddings) + entryBytes
}

// stored is an answer as a [Store] keeps it. It says itself when its time is over, so that no clock but the reader's
// decides how long an answer is taken for good.
type stored struct {
	Until  time.Time `json:"until"`
	Answer Answer    `json:"answer"`
}

// encode returns the stored form. The message keeps its text, without escapes for HTML, so that a result that is made of
// it is the one that was. Its error quotes nothing of the answer, as the encoder's does.
func (s stored) encode() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(s.Answer.size())
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, errors.New("the message is not JSON")
	}
	return b.Bytes(), nil
}

// decode reads the stored form. Its error quotes nothing of the answer.
func decode(text []byte) (stored, error) {
	var s stored
	if json.Unmarshal(text, &s) != nil || s.Until.IsZero() {
		return stored{}, errors.New("what is stored is no answer")
	}
	return s, nil
}
