package schedule

import (
	"encoding/json"

	"baton.dev/baton/events"
)

// attemptNews is what receivers that want to be told of failed attempts get: small, and nothing of the request.
type attemptNews struct {
	MessageID string             `json:"message_id"`
	Status    events.Status      `json:"status"` // running: what it came to is told by itself
	ModelID   string             `json:"model_id"`
	Target    string             `json:"target"`
	Attempt   int                `json:"attempt"` // at which of the request's passes to a target, from 1
	Error     events.ResultError `json:"error"`
}

// told returns the copies of a failed attempt for the receivers that want to be told of one, to be emitted beside what
// follows from it. They have the same ids whenever they are made: an attempt that is decided about twice is told once. An
// attempt in which no model was called is not told of, since it was none to the caller.
//
// A request that is parked emits nothing: its receivers are told when it goes on.
func (f *function) told(in events.Event) []events.Event {
	if in.Type != events.AttemptFailed || in.Callbacks == "" || !events.Begun(in.ErrorCode) {
		return nil
	}
	copies, err := in.Copies()
	if err != nil { // of an attribute that the chain wrote: no ground to end the request
		f.Log.Error("nobody is told of the attempt", "id", in.ID, "error", err)
		return nil
	}
	if len(copies) == 0 {
		return nil
	}
	data, err := json.Marshal(attemptNews{
		MessageID: in.Subject, Status: events.StatusRunning, ModelID: in.Model, Target: in.Target, Attempt: in.Attempt,
		Error: events.ResultError{Code: in.ErrorCode, Message: in.ErrorMessage},
	})
	if err != nil { // strings and a number always encode
		panic(err)
	}
	for i := range copies {
		copies[i].Data, copies[i].DataContentType, copies[i].DataSchema = data, events.JSON, ""
		copies[i].DataRef, copies[i].DataDigest, copies[i].RequestID = "", "", ""
		copies[i].Hops++
	}
	return copies
}
