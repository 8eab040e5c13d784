package batches

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/problem"
)

// maxBody bounds the body of a create.
const maxBody = 64 << 10

// create answers POST /v1/batches. The batch counts as one that is under way, then its record is written, and then its first
// step is stored, which the answer waits for. A crash before the last leaves a batch that counts, or one that stays in
// validation too, until it is overdue: its caller was told nothing.
func (s *Server) create(x *ingest.Exchange, r *http.Request) *problem.Problem {
	var in struct {
		InputFileID      string            `json:"input_file_id"`
		Endpoint         string            `json:"endpoint"`
		CompletionWindow string            `json:"completion_window"`
		Metadata         map[string]string `json:"metadata"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(x, r.Body, maxBody))
	if err != nil {
		return problem.New(problem.TooLarge, "The body is over the limit of "+strconv.Itoa(maxBody)+" bytes, or broke off.")
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return problem.New(problem.Malformed, "The body is no JSON object with input_file_id, endpoint and completion_window.")
	}
	var faults []problem.FieldError
	fault := func(pointer, detail string) {
		faults = append(faults, problem.FieldError{Pointer: pointer, Detail: detail})
	}
	if !slices.Contains(s.cfg.Endpoints, in.Endpoint) {
		fault("/endpoint", "must be one of "+strings.Join(s.cfg.Endpoints, ", "))
	}
	if in.CompletionWindow != window {
		fault("/completion_window", "must be "+window)
	}
	if !small(in.Metadata) {
		fault("/metadata", "must have 16 pairs at most, with names of up to 64 characters and values of up to 512")
	}
	switch _, err := attachments.StatFile(r.Context(), s.cfg.Objects, x.Tenant.Name, in.InputFileID); {
	case errors.Is(err, objects.ErrNotFound):
		fault("/input_file_id", "names no file of this key's")
	case err != nil:
		return s.unavailable(err)
	}
	if len(faults) > 0 {
		return problem.New(problem.Invalid, "The batch is not valid; see errors.", faults...)
	}
	now := s.now()
	rec := &record{Tenant: x.Tenant.Name, Batch: Batch{
		ID: "batch_" + s.cfg.NewID(), Object: "batch", Endpoint: in.Endpoint, InputFileID: in.InputFileID,
		CompletionWindow: window, Status: Validating, CreatedAt: now.Unix(), ExpiresAt: now.Add(windowTime).Unix(),
		Metadata: in.Metadata,
	}}
	if p := s.room(r.Context(), rec.Tenant); p != nil {
		return p
	}
	if err := s.begun(r.Context(), rec); err != nil {
		s.undo(r.Context(), rec)
		return s.unavailable(err)
	}
	return answer(x, rec.Batch)
}

// begun stores the batch and its first step.
func (s *Server) begun(ctx context.Context, r *record) error {
	if err := s.put(ctx, r, openKey(r.Tenant, r.Batch.ID), []byte("{}")); err != nil {
		return err
	}
	if err := s.write(ctx, r); err != nil {
		return err
	}
	first, err := s.event(r, time.Time{})
	if err != nil {
		return err
	}
	return s.cfg.Publisher.Publish(ctx, first)
}

// undo removes a batch whose caller is told that it is not there. If its first step was stored all the same, that finds nothing.
func (s *Server) undo(ctx context.Context, r *record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	for _, key := range []string{recordKey(r.Tenant, r.Batch.ID), openKey(r.Tenant, r.Batch.ID)} {
		if err := s.cfg.Objects.Delete(ctx, key); err != nil {
			s.cfg.Log.WarnContext(ctx, "a batch that was not begun is not removed; it expires", "batch", r.Batch.ID, "error", err)
		}
	}
}

// undoTimeout bounds how long an answer waits for what its caller need not wait for.
const undoTimeout = time.Second

// maxOpen is about how many batches of a tenant may be under way: each is at most 800 requests in the queue, and an event. Of two
// that are made at once both may be the last.
const maxOpen = 100

// room is the problem of a tenant that has as many batches under way as may be, or nil. What a store cannot list it does not
// bound. One that is not worked off counts no longer than it is told to be under way.
func (s *Server) room(ctx context.Context, tenant string) *problem.Problem {
	lister, ok := s.cfg.Objects.(objects.Lister)
	if !ok {
		return nil
	}
	open, err := lister.List(ctx, openDir(tenant))
	if err != nil {
		return s.unavailable(err)
	}
	n := 0
	for _, info := range open {
		if s.now().Before(info.Created.Add(windowTime + overdue)) {
			n++
		}
	}
	if n < maxOpen {
		return nil
	}
	return problem.New(problem.QueueFull, strconv.Itoa(n)+" of the tenant's batches are not over, which is as many as may be.").
		With("Retry-After", "60")
}

// small reports whether metadata is within the bounds of OpenAI's API.
func small(metadata map[string]string) bool {
	for name, value := range metadata {
		if utf8.RuneCountInString(name) > 64 || utf8.RuneCountInString(value) > 512 {
			return false
		}
	}
	return len(metadata) <= 16
}
