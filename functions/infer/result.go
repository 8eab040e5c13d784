package infer

import (
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/model"
)

// result returns what the request came to, for an attempt that ran from start to end.
func result(in events.Event, req events.Request, a model.Answer, start, end time.Time) events.Result {
	return events.Result{
		MessageID:    in.Subject,
		RequestID:    req.RequestID,
		Status:       events.StatusCompleted,
		ModelID:      req.ModelID,
		Target:       in.Target,
		Output:       a.Output,
		Message:      a.Message,
		Choices:      a.Choices,
		Embeddings:   a.Embeddings,
		FinishReason: a.FinishReason,
		Usage:        a.Usage,
		Attempts:     in.Begun + 1,
		Timings: events.Timings{
			AcceptedAt:  in.Accepted.UTC(),
			CompletedAt: end.UTC(),
			// Clocks of two machines: what would be negative is nothing.
			QueueMS:     max(start.Sub(in.Accepted).Milliseconds(), 0),
			InferenceMS: max(end.Sub(start).Milliseconds(), 0),
		},
		Metadata: req.Metadata,
	}
}
