package infer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/tokens"
)

// attempt makes the attempt and returns how it ended; nil if the request is over. An error says that it was not decided: the
// process ends, the lease is lost, or something on this side is away.
func (f *function) attempt(ctx context.Context, in events.Event, req events.Request, token int64) (*outcome, error) {
	execution := execution(in, token)
	target, _, ok := f.Catalog().Target(in.Target)
	if !ok {
		return f.refuse(ctx, in, model.NewError(events.CodeTargetGone, nil)), nil
	}
	probe, leave, refusal, err := f.admit(ctx, in, target)
	if err != nil || refusal != nil {
		return f.refused(ctx, in, refusal), err
	}
	defer leave()
	if probe {
		defer f.unprobed(target, &probe)
	}
	bill, refusal, err := f.reserve(ctx, in, execution, target, &req)
	if err != nil || refusal != nil {
		return f.refused(ctx, in, refusal), err
	}
	ready, refusal, err := f.prepare(ctx, in, req, target)
	if err != nil || refusal != nil {
		bill.release(ctx)
		return f.unbegun(ctx, in, refusal), err
	}
	defer ready.drop()
	if mine, err := f.claim(ctx, in); err != nil || !mine {
		bill.release(ctx)
		return nil, err
	}
	start := f.Now()
	if expired(in, start) {
		bill.release(ctx)
		return f.refuse(ctx, in, model.NewError(events.CodeExpired, nil)), nil
	}
	answer, err := f.Models.Call(ctx, f.call(ctx, in, req, target, token, ready))
	end := f.Now()
	failure, failed := errors.AsType[*model.Error](err)
	if err != nil && (ctx.Err() != nil || !failed) {
		// The attempt did not fail: this process ends, the lease is lost, or the store went away. What was reserved stays where
		// it may have been paid, as only a request can be that was sent whole.
		if failed && !failure.Sent || ready.torn.Load() {
			bill.release(ctx)
		}
		return nil, fmt.Errorf("infer: call for %s: %w", in.ID, errors.Join(err, context.Cause(ctx)))
	}
	var o *outcome
	if !failed {
		o, failure = f.completed(in, req, answer, start, end)
	}
	if failure != nil && !events.Begun(failure.Code) {
		bill.release(ctx) // the client knows no such target, or what is sent went missing: no model had the request
		return f.refuse(ctx, in, failure), nil
	}
	f.report(target, failure, probe, end.Sub(start))
	probe = false
	usage := taken(answer, failure)
	bill.settle(ctx, usage, failure)
	told := Attempt{Target: target.Name, Latency: end.Sub(start), Usage: usage}
	if failure != nil {
		told.Code = failure.Code
		o = f.refuse(ctx, in, failure)
	}
	f.Observe(told)
	return o, nil
}

// call returns the call of the attempt. When ctx is done no more pieces of its answer go out: the lease may be another worker's.
func (f *function) call(
	ctx context.Context, in events.Event, req events.Request, t *catalog.Target, token int64, ready *prepared,
) model.Call {
	call := model.Call{
		Target: t, Request: req, ID: in.ID, Expand: ready.expand(),
		TraceParent: in.TraceParent, TraceState: in.TraceState, Expiry: in.Expiry,
	}
	if in.Stream && f.Tokens != nil {
		id := tokens.ID{Attempt: in.Attempt, Token: token}
		call.Delta = func(d model.Delta) {
			if ctx.Err() != nil {
				return
			}
			f.Tokens.Send(in.Subject, tokens.Piece{ID: id, Text: d.Text, Choices: d.Choices})
			id.N++
		}
	}
	return call
}

// completed returns the outcome of a call that was answered, or why it is none.
func (f *function) completed(in events.Event, req events.Request, a model.Answer, start, end time.Time) (*outcome, *model.Error) {
	data, err := result(in, req, a, start, end).Encode()
	if err != nil {
		return nil, answered(model.NewError(events.CodeUnusableOutput, errors.New("the message cannot be encoded")), a)
	}
	if len(data) > f.MaxResult {
		return nil, answered(model.TooLarge(int64(f.MaxResult)), a)
	}
	return &outcome{data: data}, nil
}

// answered returns the error as that of a call which the model answered.
func answered(e *model.Error, a model.Answer) *model.Error {
	e.Sent, e.Usage = true, a.Usage
	return e
}

// taken returns what the server says that a call took, whether its answer was of use or not.
func taken(a model.Answer, failure *model.Error) *events.Usage {
	if failure != nil {
		return failure.Usage
	}
	return a.Usage
}

// admit gets the attempt to the target: past its breaker, and into a place. The breaker is asked again after a wait for a
// place, since it may have opened meanwhile.
func (f *function) admit(
	ctx context.Context, in events.Event, t *catalog.Target,
) (probe bool, leave func(), _ *model.Error, _ error) {
	open := model.NewError(events.CodeBreakerOpen, nil)
	if expired(in, f.Now()) {
		return false, nil, model.NewError(events.CodeExpired, nil), nil
	}
	probe, ok := f.mayCall(ctx, t.Name)
	if !ok {
		return false, nil, open, nil
	}
	if f.Places == nil {
		return probe, func() {}, nil, nil
	}
	waiting, cancel := ctx, func() {}
	if !in.Expiry.IsZero() {
		waiting, cancel = context.WithTimeout(ctx, in.Expiry.Sub(f.Now()))
	}
	leave, err := f.Places.Enter(waiting, t.Name, in.ID, t.Concurrency)
	cancel()
	if err != nil && probe {
		f.unprobed(t, &probe)
	}
	switch {
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		// The batch that the event came in is over, which is nobody's failure.
		return false, nil, nil, hop.Park(fmt.Errorf("infer: place for %s: %w", in.ID, err), f.Now().Add(again))
	case err != nil && ctx.Err() != nil:
		return false, nil, nil, fmt.Errorf("infer: place for %s: %w", in.ID, err)
	case err != nil:
		return false, nil, model.NewError(events.CodeExpired, nil), nil
	}
	if !probe {
		if probe, ok = f.mayCall(ctx, t.Name); !ok {
			leave()
			return false, nil, open, nil
		}
	}
	return probe, leave, nil, nil
}

func (f *function) mayCall(ctx context.Context, target string) (probe, ok bool) {
	if f.Health == nil {
		return false, true
	}
	return f.Health.Admit(ctx, target)
}

// hanging is how long a call must have taken that its request's deadline cut short, to count as one that timed out.
const hanging = 10 * time.Second

// report tells how the attempt ended. A call that the deadline cut short says nothing of the target if it was short, but a
// target that hangs must not be taken for a good one because its callers are not as patient as its timeout.
func (f *function) report(t *catalog.Target, failure *model.Error, probe bool, took time.Duration) {
	if f.Health == nil {
		return
	}
	o := health.Outcome{Target: t.Name, Latency: took, Probe: probe}
	if failure != nil {
		o.Code, o.RetryAt = failure.Code, failure.RetryAt
		if o.Code == events.CodeDeadline && took >= min(hanging, t.Timeout/2) {
			o.Code = events.CodeTimeout
		}
	}
	f.Health.Report(o)
}

// unprobed reports a probe that came to nothing: another may go.
func (f *function) unprobed(t *catalog.Target, probe *bool) {
	if *probe {
		f.Health.Report(health.Outcome{Target: t.Name, Code: events.CodeExpired, Probe: true})
	}
}

// refused is refuse for what may be no refusal.
func (f *function) refused(ctx context.Context, in events.Event, e *model.Error) *outcome {
	if e == nil {
		return nil
	}
	return f.refuse(ctx, in, e)
}

// unbegun is refused for an attempt that was not begun, whatever the code is elsewhere.
func (f *function) unbegun(ctx context.Context, in events.Event, e *model.Error) *outcome {
	o := f.refused(ctx, in, e)
	if o != nil {
		o.Unbegun = true
	}
	return o
}

// refuse returns the outcome of a failed attempt, and logs why: the outcome only says what the caller may know.
func (f *function) refuse(ctx context.Context, in events.Event, e *model.Error) *outcome {
	if e.Target == "" {
		e.Target = in.Target // it is not the client that failed
	}
	level := slog.LevelWarn
	switch {
	case events.Final(e.Code), e.Code == events.CodeDeadline, e.Code == events.CodeExpired, e.Code == events.CodeBreakerOpen:
		level = slog.LevelInfo
	}
	attrs := []slog.Attr{
		slog.String("id", in.ID), slog.String("target", in.Target), slog.String("code", e.Code), slog.Any("err", e),
	}
	if !e.RetryAt.IsZero() {
		attrs = append(attrs, slog.Time("retry_at", e.RetryAt))
	}
	f.Log.LogAttrs(ctx, level, "attempt failed", attrs...)
	return &outcome{Code: e.Code, Message: e.Message}
}

func expired(in events.Event, now time.Time) bool {
	return !in.Expiry.IsZero() && !now.Before(in.Expiry)
}
