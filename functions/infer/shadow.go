package infer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/results"
)

// shadows is whose account the copies are on: they are the operator's, and no tenant's budget pays for them.
const shadows = "(shadow)"

var errNotBegun = errors.New("infer: the request that is shadowed has not begun")

// shadow calls the target with a copy of a request, to see how it does. Nothing follows from it: what it answers is dropped,
// and whether it is called at all is of no account to the request.
func (f *function) shadow(ctx context.Context, in events.Event, req events.Request) error {
	target, _, ok := f.Catalog().Target(in.Target)
	if !ok {
		return nil
	}
	// A request that was canceled is not paid for. One that has begun cannot be any more, so the shadow waits for that.
	switch begun, err := f.Results.Begun(ctx, in.Subject); {
	case errors.Is(err, results.ErrNotFound):
		if now := f.Now(); !expired(in, now.Add(again)) {
			return hop.Park(errNotBegun, now.Add(again))
		}
		return nil
	case err != nil:
		return hop.Unavailable(fmt.Errorf("infer: shadow of %s: %w", in.Subject, err))
	case begun.Canceled:
		return nil
	}
	probe, leave, refusal, err := f.admit(ctx, in, target)
	if err != nil || refusal != nil {
		return err
	}
	defer leave()
	if probe {
		defer f.unprobed(target, &probe)
	}
	// What it refers to may be gone: it is removed when the request has ended. Then there is nothing to see.
	ready, refusal, err := f.prepare(ctx, in, req, target)
	if err != nil || refusal != nil {
		return err
	}
	defer ready.drop()
	start := f.Now()
	answer, err := f.Models.Call(ctx, model.Call{Target: target, Request: req, ID: in.ID, Expiry: in.Expiry, Expand: ready.expand()})
	took := f.Now().Sub(start)
	failure, failed := errors.AsType[*model.Error](err)
	if err != nil && (ctx.Err() != nil || !failed) {
		return fmt.Errorf("infer: shadow call for %s: %w", in.ID, errors.Join(err, ctx.Err()))
	}
	if failure != nil && !events.Begun(failure.Code) {
		return nil // no model had the request
	}
	f.report(target, failure, probe, took)
	probe = false
	usage := taken(answer, failure)
	f.bill(in, execution(in, start.UnixMicro()), target, shadows).settle(ctx, usage, failure)
	told := Attempt{Target: target.Name, Shadow: true, Latency: took, Usage: usage}
	if failure != nil {
		told.Code = failure.Code
		f.Log.LogAttrs(ctx, slog.LevelInfo, "shadow attempt failed", slog.String("id", in.ID), slog.String("code", failure.Code))
	}
	f.Observe(told)
	return nil
}
