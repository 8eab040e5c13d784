package infer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/answers"
)

// outcome is how an attempt ended, as it is kept for a repeat of it.
type outcome struct {
	Code    string `json:"code,omitempty"` // "" is success
	Message string `json:"message,omitempty"`
	data    []byte // the result of one that succeeded
}

// encode returns the kept form: a line of JSON, and after it the result byte for byte.
func (o outcome) encode() []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // two strings
	}
	return append(append(b, '\n'), o.data...)
}

func decodeOutcome(kept []byte) (outcome, error) {
	var o outcome
	head, data, _ := bytes.Cut(kept, []byte{'\n'})
	if err := json.Unmarshal(head, &o); err != nil {
		return o, fmt.Errorf("infer: decode kept outcome: %w", err)
	}
	o.data = data
	return o, nil
}

// event returns the event that says how the attempt ended.
func (f *function) event(in events.Event, o outcome) events.Event {
	if o.Code == "" {
		out := in.Next(events.Infer, events.Completed, in.Attempt, f.Now())
		out.Data = o.data
		return out
	}
	out := in.Next(events.Infer, events.AttemptFailed, in.Attempt, f.Now())
	out.ErrorCode, out.ErrorMessage = o.Code, o.Message
	if o.Code != events.CodeBreakerOpen { // a target that was left alone was not tried
		out.Tried = append(slices.Clone(in.Tried), in.Target)
	}
	if events.Begun(o.Code) {
		out.Begun = in.Begun + 1
	}
	return out
}

// Answers is where the answers for equal requests are kept. See [answers.Answers].
type Answers interface {
	Put(ctx context.Context, key string, answer answers.Answer, ttl time.Duration)
	Land(ctx context.Context, key, messageID string)
}

// keep stores the answer for equal requests, if it may be, and lets those that wait for it go.
func (f *function) keep(ctx context.Context, in events.Event, o outcome) {
	if in.CacheKey == "" || f.Answers == nil || o.Code != "" {
		return // after a failure the request leads on: schedule decides what follows
	}
	var r events.Result
	model, ok := f.Catalog().Models[in.Model]
	if ok && json.Unmarshal(o.data, &r) == nil && answers.Cachable(r) {
		f.Answers.Put(ctx, in.CacheKey, answers.Of(r), model.Cache)
	}
	f.land(ctx, in)
}

// land ends the lead of a request, which others wait for.
func (f *function) land(ctx context.Context, in events.Event) {
	if in.CacheKey != "" && f.Answers != nil {
		f.Answers.Land(ctx, in.CacheKey, in.Subject)
	}
}
