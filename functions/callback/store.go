package callback

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/results"
)

// store writes down how the request ended. It returns the bytes to deliver, and whether it is for this event to deliver
// them: not so if the request was canceled, belongs to another run, or was ended by another event, which delivers itself.
// Where another copy of this event was first, with other bytes, as a call that was repeated makes, the event goes on with
// those: then it says the same for as long as it lives, and no two bodies go out under one id.
func (c *Callback) store(ctx context.Context, in events.Event) (body []byte, ours bool, err error) {
	var status events.Status
	switch in.Type {
	case events.Completed:
		status = events.StatusCompleted
	case events.Failed:
		status = events.StatusFailed
	default:
		return nil, false, hop.Reject(events.ReasonUnroutable, fmt.Errorf("callback: takes no %s", in.Type.Step()))
	}
	if len(in.Data) == 0 {
		return nil, false, hop.Reject(events.ReasonUndecodable, errors.New("callback: the event has no result"))
	}
	if in.Begun == 0 {
		// No attempt was ever begun, so nobody claimed the request: it may be canceled still.
		stood, err := c.results.Begin(ctx, in.Subject, results.Beginning{Run: in.Run, At: c.now(), Accepted: in.Accepted})
		if err != nil {
			return nil, false, hop.Unavailable(fmt.Errorf("callback: claim: %w", err))
		}
		if stood.Canceled || stood.Run != in.Run {
			return nil, false, nil
		}
	}
	ending, err := c.results.End(ctx, in.Subject, results.Ending{
		EventID: in.ID, Status: status, Body: in.Data, Accepted: in.Accepted,
	})
	if err != nil {
		return nil, false, hop.Unavailable(fmt.Errorf("callback: store result: %w", err))
	}
	if ending.EventID != in.ID {
		return nil, false, nil
	}
	if !bytes.Equal(ending.Body, in.Data) {
		in.Data = ending.Body
		return nil, false, hop.Replace(in)
	}
	return ending.Body, true, nil
}
