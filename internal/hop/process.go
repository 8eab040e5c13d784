package hop

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"baton.dev/baton/events"
)

// settleTimeout bounds the storing of an output and the settling of an input, which go on through a drain: what was paid
// for must not be lost because the process is asked to stop. It is less than the default grace.
const settleTimeout = 10 * time.Second

// process takes one delivery to its outcome. What happens if the process dies:
//
//	before the handler            the lease runs out, the delivery is repeated
//	in the handler                the same; what the handler did outside is repeated or recognised there
//	after it, before the output   the same
//	after the output is stored,   the delivery is repeated, and its output, which has the same ids, is stored once
//	before the input is settled
//
// A transport that forgets ids after a while stores an output twice if the repeat comes later than that; the terminal
// event is then told apart by the results store.
func (w *Worker) process(ctx context.Context, h *held) {
	began := w.now()
	var out []events.Event
	outcome := w.cfg.Limits.Admit(w.cfg.Hop, h.Delivery, began)
	if outcome == nil {
		var err error
		handling, done := h.handling(ctx)
		out, err = call(handling, w.cfg.Handler, h.Event)
		lost := errors.Is(context.Cause(handling), errLeaseLost)
		done(nil)
		switch {
		case lost:
			outcome = &Outcome{Kind: Return, Err: errLeaseLost}
		case err != nil && ctx.Err() != nil:
			outcome = &Outcome{Kind: Return, Err: err} // the drain ended it, not its own doing
		default:
			o := w.cfg.Limits.Classify(h.Event, err)
			if o.Kind == Return {
				o.After = w.pause(h)
			}
			outcome = &o
		}
	}
	settled := w.settle(context.WithoutCancel(ctx), h, out, *outcome)
	w.leases.release(h)
	s := Settled{Hop: w.cfg.Hop, In: h.Event, Outcome: settled, Began: began, Duration: w.now().Sub(began)}
	if settled.Kind == Done {
		s.Out = out
	}
	w.report(s)
}

// call calls the handler and turns a panic into an error.
func call(ctx context.Context, handle Handler, in events.Event) (out []events.Event, err error) {
	defer func() {
		if v := recover(); v != nil {
			out, err = nil, &panicked{v, debug.Stack()}
		}
	}()
	return handle(ctx, in)
}

// settle stores what the outcome asks for and then settles the input. It returns what really became of the delivery.
func (w *Worker) settle(ctx context.Context, h *held, out []events.Event, o Outcome) Outcome {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	switch o.Kind {
	case Done:
	case Retry:
		out = []events.Event{h.Event.Again(w.now().Add(o.After))}
	case Dead:
		out = []events.Event{h.Event.AsDead(w.deadLetter(o))}
	case Return:
		return w.giveBack(ctx, h, o)
	}
	if err := w.cfg.Bus.Publish(ctx, out...); err != nil {
		if errors.Is(err, ErrTooLarge) && o.Kind == Done {
			return w.settle(ctx, h, nil, Outcome{Kind: Dead, Reason: events.ReasonTooLarge, Err: err})
		}
		// The transport is in trouble: nothing was decided.
		return w.giveBack(ctx, h, Outcome{Kind: Return, After: w.pause(h), Err: err})
	}
	if err := h.Ack(ctx); err != nil {
		// The output is stored. The delivery is repeated, and its repeat recognised.
		w.cfg.Log.Warn("settled delivery not acknowledged", "hop", w.cfg.Hop, "id", h.Event.ID, "error", err)
	}
	return o
}

// pause is how long a delivery is given back for when something on this side is in trouble. It grows with the deliveries,
// which do not count as tries.
func (w *Worker) pause(h *held) time.Duration {
	return w.cfg.Limits.Backoff.Delay(h.Number-1, h.Event.ID)
}

// giveBack gives the delivery back, unless it is not this worker's to give any more.
func (w *Worker) giveBack(ctx context.Context, h *held, o Outcome) Outcome {
	if errors.Is(o.Err, errLeaseLost) {
		return o
	}
	if err := h.Return(ctx, o.After); err != nil {
		w.cfg.Log.Warn("delivery not given back; its lease runs out", "hop", w.cfg.Hop, "id", h.Event.ID, "error", err)
	}
	return o
}

// maxDetail bounds the detail of a dead letter in bytes, so that a dead letter is never much larger than its event.
const maxDetail = 1024

func (w *Worker) deadLetter(o Outcome) events.DeadLetter {
	detail := o.Err.Error()
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "")
	}
	return events.DeadLetter{Hop: w.cfg.Hop, Reason: o.Reason, Detail: detail, Time: w.now()}
}

// report writes the one line of a delivery, and tells the observer.
func (w *Worker) report(s Settled) {
	level := slog.LevelDebug
	switch s.Outcome.Kind {
	case Done:
	case Retry, Return:
		level = slog.LevelInfo
	case Dead:
		level = slog.LevelError
	}
	if log := w.cfg.Log; log.Enabled(context.Background(), level) {
		attrs := []any{
			"hop", s.Hop, "id", s.In.ID, "type", s.In.Type.Step(), "attempt", s.In.Attempt, "try", s.In.Tries,
			"outcome", string(s.Outcome.Kind), "duration", s.Duration,
		}
		if s.Outcome.Reason != "" {
			attrs = append(attrs, "reason", string(s.Outcome.Reason))
		}
		if s.Outcome.After > 0 {
			attrs = append(attrs, "after", s.Outcome.After)
		}
		if s.Outcome.Err != nil {
			attrs = append(attrs, "error", s.Outcome.Err)
		}
		if p, ok := errors.AsType[*panicked](s.Outcome.Err); ok {
			attrs = append(attrs, "stack", string(p.stack))
		}
		log.Log(context.Background(), level, "settled", attrs...)
	}
	if w.cfg.Observe != nil {
		w.cfg.Observe(s)
	}
}
