package infer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/lease"
)

var (
	errHeld      = errors.New("infer: the attempt is being made by another worker")
	errSucceeded = errors.New("infer: the lease went to another worker: what this one did counts for nothing")
)

// again is how long an event is parked at least whose attempt is another worker's: its lease may be renewed.
const again = time.Second

// once makes the attempt if nobody has made it, and returns how it ended; nil if the request is over, and nothing follows. Its
// error is what the event comes to instead.
func (f *function) once(ctx context.Context, in events.Event, req events.Request) (*outcome, error) {
	held, grant, err := f.hold(ctx, in.ID)
	switch {
	case err != nil:
		return nil, fmt.Errorf("infer: %s: %w", in.ID, err)
	case grant.Outcome != nil:
		if open, err := f.open(ctx, in); err != nil || !open {
			return nil, err // it went out, too
		}
		f.Log.LogAttrs(ctx, slog.LevelInfo, "attempt was made before: its outcome goes out again", slog.String("id", in.ID))
		return decodeOutcome(grant.Outcome)
	case held == nil:
		return nil, hop.Park(errHeld, f.after(grant.Until))
	}
	// What is decided is handed in though the process drains: it may have been paid for.
	finish := func(o []byte) (bool, error) { return held.Finish(context.WithoutCancel(ctx), o) }

	o, err := f.attempt(held.Context(), in, req, grant.Token)
	if err != nil || o == nil {
		lost := errors.Is(context.Cause(held.Context()), lease.ErrLost)
		if _, finishErr := finish(nil); finishErr != nil { // then it runs out
			f.Log.LogAttrs(ctx, slog.LevelWarn, "lease is not given back", slog.String("id", in.ID), slog.Any("err", finishErr))
		}
		if lost && ctx.Err() == nil {
			return nil, hop.Park(errSucceeded, f.after(time.Time{}))
		}
		return nil, err
	}
	switch ours, err := finish(o.encode()); {
	case err != nil:
		// The store went away meanwhile. The terminal event is told apart from another by the results, in any case.
		f.Log.LogAttrs(ctx, slog.LevelWarn, "outcome is not shared", slog.String("id", in.ID), slog.Any("err", err))
	case !ours:
		f.Log.LogAttrs(ctx, slog.LevelWarn, "lease was lost: the outcome is dropped", slog.String("id", in.ID))
		return nil, hop.Park(errSucceeded, f.after(time.Time{}))
	}
	return o, nil
}

// execution returns the id of one execution of an attempt, by which it is paid for: a repeat of it is another.
func execution(in events.Event, token int64) string {
	return in.ID + "#" + strconv.FormatInt(token, 10)
}

// hold takes the lease of the attempt: among all processes or, where that cannot be said, among the workers of this one.
func (f *function) hold(ctx context.Context, id string) (*lease.Held, lease.Grant, error) {
	held, grant, err := f.Leases.Hold(ctx, id)
	if err == nil || ctx.Err() != nil {
		return held, grant, err
	}
	f.Log.LogAttrs(ctx, slog.LevelDebug, "lease is of this process alone", slog.String("id", id), slog.Any("err", err))
	return f.alone.Hold(ctx, id)
}

// after returns when an event is looked at again whose attempt another worker makes until the given time.
func (f *function) after(until time.Time) time.Time {
	soon := f.Now().Add(again)
	if until.Before(soon) {
		return soon
	}
	return until
}
