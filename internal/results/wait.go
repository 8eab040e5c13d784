package results

import (
	"context"
	"errors"
	"time"
)

// recheck is how often Wait looks again when no hint comes: hints may be lost, and then the wait is this much longer.
const recheck = time.Second

// Wait returns the request's standing when it is terminal, or as it is when ctx is done. Its error is that of [Store.Look],
// never ctx's.
func (s *Store) Wait(ctx context.Context, messageID string) (Standing, error) {
	return s.wait(ctx, messageID, false)
}

// Expect is Wait for a request that may not have been accepted yet. Its error is [ErrNotFound] if it still is not when ctx is
// done.
func (s *Store) Expect(ctx context.Context, messageID string) (Standing, error) {
	return s.wait(ctx, messageID, true)
}

func (s *Store) wait(ctx context.Context, messageID string, expected bool) (Standing, error) {
	// A look must not fail because the wait is over: it has the caller's values, and its own bounds below.
	look := context.WithoutCancel(ctx)
	hint, stop, err := s.cells.Watch(look, messageID+".ended")
	if err != nil {
		return s.Look(look, messageID)
	}
	defer stop()
	for soon := time.Duration(0); ; {
		st, err := s.Look(look, messageID)
		if expected && ctx.Err() == nil && errors.Is(err, ErrNotFound) {
			err = nil
		}
		if err != nil || st.Terminal() {
			return st, err
		}
		// After a hint the cell may be on its way: look again soon, then less and less so.
		pause := recheck
		if soon > 0 {
			pause = soon
			if soon *= 2; soon > recheck {
				soon = 0
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-hint:
			soon = time.Millisecond
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return s.lastLook(look, messageID, st)
		}
		timer.Stop()
	}
}

// lastLook reads once more at the end of a wait, and falls back on what was seen before.
func (s *Store) lastLook(ctx context.Context, messageID string, seen Standing) (Standing, error) {
	st, err := s.Look(ctx, messageID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return seen, nil
	}
	return st, err
}
