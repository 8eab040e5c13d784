package answers

import (
	"time"

	"baton.dev/baton/events"
)

// Result returns what a request comes to at the time, that is answered by what an equal one got. All of its time it has waited.
func (a Answer) Result(in events.Event, r events.Request, now time.Time) events.Result {
	return events.Result{
		MessageID: in.Subject, RequestID: r.RequestID, Status: events.StatusCompleted, ModelID: in.Model, Target: a.Target,
		Output: a.Output, Message: a.Message, Choices: a.Choices, Embeddings: a.Embeddings,
		FinishReason: a.FinishReason, Usage: a.Usage, Cached: true, Attempts: in.Begun, Metadata: r.Metadata,
		Timings: events.Timings{
			AcceptedAt: in.Accepted, CompletedAt: now, QueueMS: max(now.Sub(in.Accepted).Milliseconds(), 0),
		},
	}
}
