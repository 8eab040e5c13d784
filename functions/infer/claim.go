package infer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/results"
)

// claim reports whether this run of the request may call a model. Only the first that would claims: those after it are of a
// run that began. A repeat of the same run finds its own claim. What is or may be a repeat goes on unless the request has ended
// meanwhile: its first delivery then did its work but for the acknowledgement, and another call would be paid for nothing.
func (f *function) claim(ctx context.Context, in events.Event) (bool, error) {
	if in.Begun > 0 {
		return f.open(ctx, in)
	}
	mine := results.Beginning{Run: in.Run, At: f.Now(), Accepted: in.Accepted}
	stood, err := f.Results.Begin(ctx, in.Subject, mine)
	switch {
	case err != nil:
		return false, hop.Unavailable(fmt.Errorf("infer: claim %s: %w", in.ID, err))
	case stood.Canceled:
		f.Log.LogAttrs(ctx, slog.LevelInfo, "request was canceled: not begun", slog.String("id", in.ID))
		f.land(ctx, in)
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
