package awslambda

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/model"
)

// callMargin is the time between the end of a call and that of its handler: to make an event of the failure.
const callMargin = time.Second

// models ends a call that would outlive its handler's context a little before that: as one that timed out, which is an
// attempt that failed, and not as work that this process was stopped in.
type models struct {
	infer.Models
	log *slog.Logger
	now func() time.Time

	warned sync.Map // names of targets
}

// Call implements [infer.Models].
func (m *models) Call(ctx context.Context, call model.Call) (model.Answer, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return m.Models.Call(ctx, call)
	}
	left := deadline.Sub(m.now())
	left -= min(left/10, callMargin)
	if left < call.Target.Timeout {
		if _, again := m.warned.LoadOrStore(call.Target.Name, true); !again {
			m.log.Warn("the target's timeout does not fit in the function's: calls are ended before it",
				"target", call.Target.Name, "timeout", call.Target.Timeout, "ended_after", left)
		}
	}
	limited, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	answer, err := m.Models.Call(limited, call)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		late := model.NewError(events.CodeTimeout, nil)
		late.Target, late.Sent = call.Target.Name, true
		return answer, late
	}
	return answer, err
}
