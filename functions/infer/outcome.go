package infer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"baton.dev/baton/events"
)

// outcome is how an attempt ended, as it is kept for a repeat of it.
type outcome struct {
	Code    string `json:"code,omitempty"` // "" is success
	Message string `json:"message,omitempty"`
	Unbegun bool   `json:"unbegun,omitempty"` // no model was called, though the code is one of calls
	data    []byte // the result of one that succeeded
}

// encode returns the kept form: a line of JSON, and after it the result byte for byte.
func (o outcome) encode() []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // two strings and a bool
	}
	return append(append(b, '\n'), o.data...)
}

func decodeOutcome(kept []byte) (*outcome, error) {
	o := &outcome{}
	head, data, _ := bytes.Cut(kept, []byte{'\n'})
	if err := json.Unmarshal(head, o); err != nil {
		return nil, fmt.Errorf("infer: decode kept outcome: %w", err)
	}
	o.data = data
	return o, nil
}

// event returns the event that says how the attempt ended.
func (f *function) event(in events.Event, o outcome) events.Event {
	if o.Code == "" {
		out := in.Next(events.Infer, events.Completed, in.Attempt, f.Now())
		out.Data, out.Begun = o.data, in.Begun+1
		return out
	}
	out := in.Next(events.Infer, events.AttemptFailed, in.Attempt, f.Now())
	out.ErrorCode, out.ErrorMessage = o.Code, o.Message
	if o.Code != events.CodeBreakerOpen { // a target that was left alone was not tried
		out.Tried = append(slices.Clone(in.Tried), in.Target)
	}
	if events.Begun(o.Code) && !o.Unbegun {
		out.Begun = in.Begun + 1
	}
	return out
}
