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
	r, err := s.read(ctx, t.Tenant, t.Batch)
	switch {
	case errors.Is(err, objects.ErrNotFound):
		return nil, nil // it was kept for long enough
	case err != nil:
		return nil, hop.Unavailable(err)
	case r.Batch.Status.over():
		s.clear(ctx, r)
		return nil, nil
	case t.Step < r.Step:
		// It was made, and only its output may be missing. Where that is not, this is the same event again.
		next, err := s.event(r, time.Time{})
		return []events.Event{next}, err
	}
	wait, err := s.advance(ctx, r)
	switch {
	case errors.Is(err, objects.ErrNotFound), errors.Is(err, objects.ErrAltered):
		s.cfg.Log.ErrorContext(ctx, "a batch fails, since what was kept of it is lost", "batch", r.Batch.ID, "error", err)
		s.fail(r, FileError{Code: events.CodeDataMissing, Message: "A part of the batch is not kept any more, or not as it was."})
	case err != nil:
		return nil, hop.Unavailable(err)
	}
	switch stands, err := s.read(ctx, t.Tenant, t.Batch); {
	case err != nil:
		return nil, hop.Unavailable(err)
	case stands.Step > t.Step || stands.Batch.Status.over():
		return nil, nil // another made the step meanwhile, and emits what follows
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
		r.Submitted = r.Chunks // no more is handed in, and the rest is told of as it stands
	}
	moved := false
	if r.Submitted < r.Chunks && r.Submitted-r.Collected < underWay {
		if moved, err = s.submit(ctx, r, r.Submitted); err != nil {
			return 0, err
		}
		if moved {
			r.Submitted++
		}
	}
	if !moved && r.Collected < r.Submitted {
		if moved, err = s.collect(ctx, r, r.Collected); err != nil {
			return 0, err
		}
		if moved {
			r.Collected++
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
