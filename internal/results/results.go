// Package results keeps what is known of each accepted request: that it was accepted, that its run began or was canceled,
// and how it ended. It is what polling reads, what makes a repeated request one request, and what decides between two
// ends of one request.
//
// Each of the three facts is a cell that is written once, by whoever comes first; everyone after is told what stands
// there. So there is nothing to lock and nothing to lose by a crash: a step that is repeated reads what it wrote before.
//
//	<message id>.accepted   ingest, before it publishes     tenant, request id, digest of the body
//	<message id>.begun      infer, before the first call    which run it is; or cancel, instead of it
//	<message id>.ended      callback, before it delivers    the terminal event's id and the result's bytes
//
// Beside them may stand <message id>.forgotten: that the caller wants no more of it.
package results

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"baton.dev/baton/events"
)

// ErrNotFound is returned by a [Cells] for a key that was never written or has expired.
var ErrNotFound = errors.New("results: no such cell")

// Cells is where the facts are kept: keys that can be written once. It must be safe for concurrent use.
type Cells interface {
	// Create writes the cell durably if it is empty and returns nil, or returns what stands there already. The cell expires
	// at the given time, give or take some seconds.
	Create(ctx context.Context, key string, value []byte, expires time.Time) (existing []byte, err error)
	// Get returns the cell's value, or an error that is [ErrNotFound].
	Get(ctx context.Context, key string) ([]byte, error)
	// Watch returns a channel that gets a value soon after the cell may have been written, until stop is called. It is a
	// hint, which may come early, late, twice or not at all; the reader looks again.
	Watch(ctx context.Context, key string) (hint <-chan struct{}, stop func(), err error)
}

// Retention is how long the facts of a request are kept, from its acceptance: longer than the longest deadline and the
// usual tries of its callback. All of them go together, so that what is left of a request is never taken for part of a
// later one under the same id.
const Retention = 48 * time.Hour

// Store keeps the facts of requests in cells. It is safe for concurrent use.
type Store struct {
	cells Cells
	now   func() time.Time
}

// New returns a store that keeps its facts in cells.
func New(cells Cells) *Store { return &Store{cells, time.Now} }

// WithClock returns the store with another clock, for runs in another time than now.
func (s *Store) WithClock(now func() time.Time) *Store { return &Store{s.cells, now} }

// Acceptance is what ingest knows of a request that it accepts.
type Acceptance struct {
	Tenant     string    `json:"tenant"`
	RequestID  string    `json:"request_id"`
	Model      string    `json:"model"`
	Digest     string    `json:"digest"` // of the body, so that another body under the same id is recognised
	AcceptedAt time.Time `json:"accepted_at"`
	// Parts and PartsID are what the object store keeps for the request, if anything; see [events.Event.Parts].
	Parts   int    `json:"parts,omitempty"`
	PartsID string `json:"parts_id,omitempty"`
	// Note is what the interface that took the request in wants to know of it later; it stays small.
	Note string `json:"note,omitempty"`
}

// Beginning is the fact that a run began, or that the request was canceled before one did.
//
// Run tells apart the runs of a request that was published twice, because its caller repeated it after the transport had
// forgotten the first. Only the run that begins first goes on.
type Beginning struct {
	Canceled bool      `json:"canceled,omitempty"`
	Run      string    `json:"run,omitempty"`
	At       time.Time `json:"at"`
	Accepted time.Time `json:"-"` // when the request was accepted
}

// Ending is how a request ended. Body is the result, byte for byte what is polled and delivered.
type Ending struct {
	EventID  string        `json:"event_id"`
	Status   events.Status `json:"status"`
	Body     []byte        `json:"-"`
	Accepted time.Time     `json:"-"` // when the request was accepted
}

// Standing is what is known of a request. Begun and Ended are nil where nothing is.
type Standing struct {
	Accepted Acceptance
	Begun    *Beginning
	Ended    *Ending
}

// Status returns the standing in a word.
func (s Standing) Status() events.Status {
	switch {
	case s.Ended != nil:
		return s.Ended.Status
	case s.Begun == nil:
		return events.StatusQueued
	case s.Begun.Canceled:
		return events.StatusCanceled
	default:
		return events.StatusRunning
	}
}

// Terminal reports whether nothing more will happen to the request.
func (s Standing) Terminal() bool {
	st := s.Status()
	return st == events.StatusCompleted || st == events.StatusFailed || st == events.StatusCanceled
}

// Accept writes that the request was accepted. It returns nil if this call was the first to say so, and otherwise what was
// accepted under the id before.
func (s *Store) Accept(ctx context.Context, messageID string, a Acceptance) (prior *Acceptance, err error) {
	existing, err := s.create(ctx, messageID+".accepted", a, nil, a.AcceptedAt)
	if err != nil || existing == nil {
		return nil, err
	}
	prior = &Acceptance{}
	err = decode(messageID+".accepted", existing, prior)
	return prior, err
}

// Begin writes that the run begins, or with b.Canceled that none may. It returns what decided: b if this call was the
// first, and otherwise what was written before. Past the retention nothing is kept, and b stands.
func (s *Store) Begin(ctx context.Context, messageID string, b Beginning) (stood Beginning, err error) {
	existing, err := s.create(ctx, messageID+".begun", b, nil, b.Accepted)
	if err != nil || existing == nil {
		return b, err
	}
	err = decode(messageID+".begun", existing, &stood)
	return stood, err
}

// Begun returns what was written of the run's beginning. The error is [ErrNotFound] where nothing was.
func (s *Store) Begun(ctx context.Context, messageID string) (b Beginning, err error) {
	err = s.get(ctx, messageID+".begun", &b)
	return b, err
}

// End writes how the request ended, and returns how it did: e if this call was the first, and otherwise what was written
// before, byte for byte. Past the retention nothing is kept, and e stands.
func (s *Store) End(ctx context.Context, messageID string, e Ending) (stood Ending, err error) {
	existing, err := s.create(ctx, messageID+".ended", e, e.Body, e.Accepted)
	if err != nil || existing == nil {
		return e, err
	}
	return decodeEnding(messageID, existing)
}

// Ended returns how the request ended. The error is [ErrNotFound] while it has not.
func (s *Store) Ended(ctx context.Context, messageID string) (Ending, error) {
	value, err := s.cells.Get(ctx, messageID+".ended")
	if err != nil {
		return Ending{}, fmt.Errorf("results: get %s.ended: %w", messageID, err)
	}
	return decodeEnding(messageID, value)
}

// Look returns what is known of the request. The error is [ErrNotFound] for a request that was never accepted, or whose
// retention is over.
func (s *Store) Look(ctx context.Context, messageID string) (Standing, error) {
	var st Standing
	if err := s.get(ctx, messageID+".accepted", &st.Accepted); err != nil {
		return Standing{}, err
	}
	switch end, err := s.Ended(ctx, messageID); {
	case err == nil:
		st.Ended = &end
		return st, nil
	case !errors.Is(err, ErrNotFound):
		return Standing{}, err
	}
	var begun Beginning
	switch err := s.get(ctx, messageID+".begun", &begun); {
	case err == nil:
		st.Begun = &begun
	case !errors.Is(err, ErrNotFound):
		return Standing{}, err
	}
	return st, nil
}

// create writes a cell: the value as JSON and, if there is a body, a line feed and the body, which JSON would not keep as
// it is. It returns what stands there already, or nil.
func (s *Store) create(
	ctx context.Context, key string, value any, body []byte, accepted time.Time,
) (existing []byte, err error) {
	now := s.now()
	if accepted.IsZero() {
		accepted = now
	}
	expires := accepted.Add(Retention)
	if !now.Before(expires) {
		return nil, nil
	}
	b, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("results: encode %s: %w", key, err)
	}
	if body != nil {
		b = append(append(b, '\n'), body...)
	}
	if existing, err = s.cells.Create(ctx, key, b, expires); err != nil {
		return nil, fmt.Errorf("results: create %s: %w", key, err)
	}
	return existing, nil
}

func (s *Store) get(ctx context.Context, key string, into any) error {
	value, err := s.cells.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("results: get %s: %w", key, err)
	}
	return decode(key, value, into)
}

func decodeEnding(messageID string, value []byte) (Ending, error) {
	var e Ending
	head, body, _ := bytes.Cut(value, []byte{'\n'})
	err := decode(messageID+".ended", head, &e)
	e.Body = body
	return e, err
}

func decode(key string, value []byte, into any) error {
	if err := json.Unmarshal(value, into); err != nil {
		return fmt.Errorf("results: decode %s: %w", key, err)
	}
	return nil
}
