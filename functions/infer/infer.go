// Package infer is the function of the chain that calls models: it takes scheduled, makes exactly one attempt at exactly
// one target, and emits completed, or attempt_failed for schedule to decide what follows. It decides nothing about tries
// itself.
package infer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/results"
)

// Models calls models.
//
// Call makes exactly one call. Its error is, or wraps, a [*model.Error] when the call came to nothing, and any other error
// when nothing can be said about the target. Call must be safe for concurrent use and return promptly when ctx is done.
type Models interface {
	Call(ctx context.Context, call model.Call) (model.Answer, error)
}

// Results is where the run of a request is claimed. A [*results.Store] is one.
//
// Begin returns what decided: b if this call was the first for the message, and otherwise what was written before. Ended
// returns how the request ended, or [results.ErrNotFound]. Both must be safe for concurrent use.
type Results interface {
	Begin(ctx context.Context, messageID string, b results.Beginning) (results.Beginning, error)
	Ended(ctx context.Context, messageID string) (results.Ending, error)
}

// defaultMaxResult keeps a completed event, with its headers, below the 1 MiB that NATS takes by default (max_payload).
const defaultMaxResult = 900 << 10

// Config is what the function needs.
type Config struct {
	Catalog   func() *catalog.Catalog // the configuration as it is now; called once an event
	Models    Models
	Results   Results
	MaxResult int              // bytes of a result; 0: 900 KiB. One that is larger is events.CodeOutputTooLarge
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger     // nil: nothing is logged
}

type function struct{ Config }

// New returns the function.
func New(c Config) hop.Handler {
	if c.MaxResult == 0 {
		c.MaxResult = defaultMaxResult
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return (&function{c}).handle
}

func (f *function) handle(ctx context.Context, in events.Event) ([]events.Event, error) {
	var req events.Request
	if err := json.Unmarshal(in.Data, &req); err != nil {
		return nil, hop.Reject(events.ReasonUndecodable, fmt.Errorf("infer: decode %s: %w", in.ID, err))
	}
	// The claim comes before everything else that ends in an event: a request that was canceled must not be failed.
	if mine, err := f.claim(ctx, in); err != nil || !mine {
		return nil, err
	}
	out, err := f.attempt(ctx, in, req)
	if err == nil {
		return []events.Event{out}, nil
	}
	if ctx.Err() != nil {
		// The attempt did not fail, this process ends: the runtime puts the event back.
		return nil, fmt.Errorf("infer: call for %s: %w", in.ID, ctx.Err())
	}
	if e, ok := errors.AsType[*model.Error](err); ok {
		return []events.Event{f.failed(ctx, in, e)}, nil
	}
	return nil, fmt.Errorf("infer: call for %s: %w", in.ID, err)
}

// claim reports whether this run of the request may go on. Only a first attempt claims: those after it are of a run that
// began. A repeat of the same run finds its own claim. What is or may be a repeat goes on unless the request has ended
// meanwhile: its first delivery then did its work but for the acknowledgement, and another call would be paid for nothing.
func (f *function) claim(ctx context.Context, in events.Event) (bool, error) {
	if in.Attempt > 1 {
		return f.open(ctx, in)
	}
	mine := results.Beginning{Run: in.Run, At: f.Now(), Accepted: in.Accepted}
	stood, err := f.Results.Begin(ctx, in.Subject, mine)
	switch {
	case err != nil:
		return false, hop.Unavailable(fmt.Errorf("infer: claim %s: %w", in.ID, err))
	case stood.Canceled:
		f.Log.LogAttrs(ctx, slog.LevelInfo, "request was canceled: not begun", slog.String("id", in.ID))
		return false, nil
	case stood.Run != in.Run:
		f.Log.LogAttrs(ctx, slog.LevelInfo, "another run of the request has begun: this one ends",
			slog.String("id", in.ID), slog.String("run", in.Run), slog.String("begun", stood.Run))
		return false, nil
	case stood.At.Equal(mine.At):
		return true, nil
	default:
		return f.open(ctx, in)
	}
}

// open reports whether the request has not ended.
func (f *function) open(ctx context.Context, in events.Event) (bool, error) {
	switch _, err := f.Results.Ended(ctx, in.Subject); {
	case err == nil:
		f.Log.LogAttrs(ctx, slog.LevelInfo, "request has ended: not called again", slog.String("id", in.ID))
		return false, nil
	case !errors.Is(err, results.ErrNotFound):
		return false, hop.Unavailable(fmt.Errorf("infer: claim %s: %w", in.ID, err))
	default:
		return true, nil
	}
}

// attempt makes the attempt and returns completed. Its error is a [*model.Error] where the attempt failed.
func (f *function) attempt(ctx context.Context, in events.Event, req events.Request) (events.Event, error) {
	start := f.Now()
	if !in.Expiry.IsZero() && !start.Before(in.Expiry) {
		return events.Event{}, model.NewError(events.CodeExpired, nil)
	}
	target, _, ok := f.Catalog().Target(in.Target)
	if !ok {
		return events.Event{}, model.NewError(events.CodeTargetGone, nil)
	}
	answer, err := f.Models.Call(ctx, model.Call{
		Target: target, Request: req, ID: in.ID,
		TraceParent: in.TraceParent, TraceState: in.TraceState, Expiry: in.Expiry,
	})
	if err != nil {
		return events.Event{}, err
	}
	end := f.Now()
	data, err := result(in, req, answer, start, end).Encode()
	if err != nil {
		return events.Event{}, model.NewError(events.CodeUnusableOutput, errors.New("the message cannot be encoded"))
	}
	if len(data) > f.MaxResult {
		return events.Event{}, model.NewError(events.CodeOutputTooLarge, nil)
	}
	out := in.Next(events.Infer, events.Completed, in.Attempt, end)
	out.Data = data
	return out, nil
}

// failed returns the event of a failed attempt, and logs why: the event only says what the caller may know.
func (f *function) failed(ctx context.Context, in events.Event, e *model.Error) events.Event {
	level := slog.LevelWarn
	if events.CallersFault(e.Code) || e.Code == events.CodeDeadline || e.Code == events.CodeExpired {
		level = slog.LevelInfo
	}
	attrs := []slog.Attr{
		slog.String("id", in.ID), slog.String("target", in.Target), slog.String("code", e.Code), slog.Any("err", e),
	}
	if !e.RetryAt.IsZero() {
		attrs = append(attrs, slog.Time("retry_at", e.RetryAt))
	}
	f.Log.LogAttrs(ctx, level, "attempt failed", attrs...)

	out := in.Next(events.Infer, events.AttemptFailed, in.Attempt, f.Now())
	out.ErrorCode, out.ErrorMessage = e.Code, e.Message
	out.Tried = append(slices.Clone(in.Tried), in.Target)
	if events.Begun(e.Code) {
		out.Begun = in.Begun + 1
	}
	return out
}
