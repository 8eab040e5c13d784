package batches

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/objects"
)

// Bounds of the work of one step, and of what is under way.
const (
	chunkLines = 200     // lines of a chunk, and
	chunkBytes = 4 << 20 // its bytes, but for its last line
	underWay   = 4       // chunks that are handed in and have not ended
)

// task is the data of a step's event.
type task struct {
	Tenant string `json:"tenant"`
	Batch  string `json:"batch_id"`
	Step   int    `json:"step"` // how many were made before
}

// lostTries is how many steps look for what is lost before the batch fails: another may have replaced it just then.
const lostTries = 4

// event returns the event of the step after so many.
func (s *Server) event(r *record, notBefore time.Time) (events.Event, error) {
	data, err := json.Marshal(task{r.Tenant, r.Batch.ID, r.Step})
	if err != nil {
		return events.Event{}, fmt.Errorf("batches: encode %s: %w", r.Batch.ID, err)
	}
	return events.Event{
		ID: r.Batch.ID + "-step-" + strconv.Itoa(r.Step), Source: "/baton/ingest", Type: events.BatchStep, Subject: r.Batch.ID,
		Time: s.now(), DataContentType: events.JSON, Tenant: r.Tenant, Priority: events.Low, CorrelationID: r.Batch.ID,
		NotBefore: notBefore, Data: data,
	}, nil
}

// Step is the function that works batches off. It is a [hop.Handler].
func (s *Server) Step(ctx context.Context, in events.Event) ([]events.Event, error) {
	var t task
	if err := json.Unmarshal(in.Data, &t); err != nil {
		return nil, hop.Reject(events.ReasonUndecodable, fmt.Errorf("batches: decode %s: %w", in.ID, err))
	}
	r, out, err := s.begin(ctx, t)
	if r == nil || err != nil {
		return out, err
	}
	wait, failed := s.advance(ctx, r)
	// Another may have made the step meanwhile, and more after it: it must not be set back, nor be failed for what was cleared.
	stands, out, err := s.begin(ctx, t)
	if stands == nil || err != nil {
		return out, err
	}
	switch {
	case lost(failed):
		r = stands // as it was before the step
		r.Lost++
		wait = pause.Delay(r.Lost, r.Batch.ID)
		if r.Lost == lostTries {
			s.cfg.Log.ErrorContext(ctx, "a batch fails, since what was kept of it is lost", "batch", r.Batch.ID, "error", failed)
			s.fail(r, FileError{Code: events.CodeDataMissing, Message: "A part of the batch is not kept any more, or not as it was."})
		}
	case failed != nil:
		return nil, hop.Unavailable(failed)
	default:
		r.Lost = 0
	}
	r.Step = t.Step + 1
	if err := s.write(ctx, r); err != nil {
		return nil, hop.Unavailable(err)
	}
	if r.Batch.Status.over() {
		s.clear(ctx, r)
		return nil, nil
	}
	var notBefore time.Time
	if wait > 0 {
		notBefore = s.now().Add(wait)
	}
	next, err := s.event(r, notBefore)
	if err != nil {
		return nil, err
	}
	return []events.Event{next}, nil
}

// begin returns the batch of a step that is to be made; nil where it is not, and then what the step is to emit.
func (s *Server) begin(ctx context.Context, t task) (*record, []events.Event, error) {
	r, err := s.read(ctx, t.Tenant, t.Batch)
	switch {
	case errors.Is(err, objects.ErrNotFound):
		return nil, nil, nil // it was kept for long enough
	case errors.Is(err, errSpoiled): // nothing can be said of it any more
		return nil, nil, hop.Reject(events.ReasonUndecodable, err)
	case err != nil:
		return nil, nil, hop.Unavailable(err)
	case r.Batch.Status.over():
		s.clear(ctx, r)
		return nil, nil, nil
	case t.Step < r.Step:
		// It was made, and only its output may be missing. Where that is not, this is the same event again.
		next, err := s.event(r, time.Time{})
		return nil, []events.Event{next}, err
	default:
		return r, nil, nil
	}
}

// advance does the next piece of work, and returns how long the one after it is to wait.
func (s *Server) advance(ctx context.Context, r *record) (wait time.Duration, err error) {
	b := &r.Batch
	stop, err := s.canceled(ctx, r)
	if err != nil {
		return 0, err
	}
	if stop && b.Status != Cancelling {
		b.Status, b.CancellingAt = Cancelling, at(s.now())
		if err := s.cancelBegun(ctx, r); err != nil {
			return 0, err
		}
	}
	past := s.now().Unix() >= b.ExpiresAt
	switch {
	case r.Chunks == 0 && stop:
		b.Status, b.CancelledAt = Cancelled, at(s.now())
		return 0, nil
	case r.Chunks == 0:
		return 0, s.split(ctx, r)
	case r.Collected == r.Chunks:
		return 0, s.finish(ctx, r, stop)
	}
	if stop || past {
		r.Submitted, r.Next = r.Chunks, 0 // no more is handed in, and the rest is told of as it stands
	}
	moved := false
	if r.Submitted < r.Chunks && r.Submitted-r.Collected < underWay {
		if moved, err = s.submit(ctx, r); err != nil {
			return 0, err
		}
	}
	if !moved && r.Collected < r.Submitted {
		if moved, err = s.collect(ctx, r); err != nil {
			return 0, err
		}
	}
	if moved {
		r.Waits = 0
		return 0, nil
	}
	r.Waits++
	return pause.Delay(r.Waits-1, b.ID), nil
}

// pause is how long a batch waits for what is under way: each wait is an event that is stored, and a look at a chunk.
var pause = hop.Backoff{Base: 250 * time.Millisecond, Max: 10 * time.Second}
