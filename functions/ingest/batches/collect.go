package batches

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

// answered is a line of an output or error file.
type answered struct {
	ID       string    `json:"id"`
	CustomID string    `json:"custom_id"`
	Response *response `json:"response"`
	Error    *failure  `json:"error"`

	late bool // the window ran out for it
}

type response struct {
	StatusCode int             `json:"status_code"`
	RequestID  string          `json:"request_id"`
	Body       json.RawMessage `json:"body"`
}

type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// collect writes the answers to the chunk if all of it has ended, and reports whether it had.
func (s *Server) collect(ctx context.Context, r *record, k int) (bool, error) {
	lines, err := s.lines(ctx, r, k)
	if err != nil {
		return false, err
	}
	var out, errs bytes.Buffer
	completed, failed, late := 0, 0, 0
	caller, known := s.caller(r)
	for i, l := range lines {
		of := caller
		a := answered{ID: lineID(r, k, i), CustomID: l.CustomID}
		ended, err := s.answer(ctx, r, &of, known, k, i, l, &a)
		if err != nil || !ended {
			return false, err
		}
		into := &out
		if a.Error != nil || a.Response.StatusCode != http.StatusOK {
			into = &errs
			failed++
		} else {
			completed++
		}
		if a.late {
			late++
		}
		enc := json.NewEncoder(into)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(a); err != nil {
			return false, fmt.Errorf("batches: encode an answer of %s: %w", r.Batch.ID, err)
		}
	}
	if err := s.put(ctx, r, r.key("out", k), out.Bytes()); err != nil {
		return false, err
	}
	if err := s.put(ctx, r, r.key("err", k), errs.Bytes()); err != nil {
		return false, err
	}
	r.Batch.Counts.Completed += completed
	r.Batch.Counts.Failed += failed
	r.Late += late
	r.OutBytes += int64(out.Len())
	r.ErrBytes += int64(errs.Len())
	return true, nil
}

// answer fills in what became of a line, and reports whether it has ended.
func (s *Server) answer(
	ctx context.Context, r *record, caller *ingest.Caller, known bool, k, i int, l line, a *answered,
) (ended bool, err error) {
	if !known {
		a.Error = &failure{"tenant_gone", "The tenant of the batch is not configured any more."}
		return true, nil
	}
	id := r.messageID(k*chunkLines + i)
	standing, p := s.cfg.Door.Look(ctx, caller, id)
	past := s.now().Sub(time.Unix(r.Batch.ExpiresAt, 0))
	switch {
	case p != nil && p.Status != http.StatusNotFound:
		return false, fmt.Errorf("batches: look at %s of %s: %s", id, r.Batch.ID, p.Title)
	case r.Batch.Status == Cancelling && (p != nil || standing.Status() == events.StatusCanceled):
		a.Error = &failure{"batch_cancelled", "This request was not executed because the batch was cancelled."}
		return true, nil
	case past >= 0 && (p != nil || outOfTime(standing)), past >= grace && !standing.Terminal():
		a.late = true
		a.Error = &failure{"batch_expired", "This request could not be executed before the completion window expired."}
		return true, nil
	case p == nil && standing.Terminal():
		status, body := s.cfg.Dialect.Response(r.Batch.Endpoint, id, standing)
		a.Response = &response{status, id, body}
		return true, nil
	case p == nil:
		return false, nil
	}
	// It was refused: it is refused again, or accepted after all.
	status, body, later := s.hand(ctx, r, *caller, k, i, l)
	if later || status == 0 {
		return false, nil
	}
	a.Response = &response{status, id, body}
	return true, nil
}

// grace is how long after its window a batch waits for requests that were handed in. They end by the window, which is their
// deadline, but for one that left the chain as a dead letter.
const grace = 10 * time.Minute

// outOfTime reports whether a request failed by its deadline.
func outOfTime(st results.Standing) bool {
	if st.Ended == nil {
		return false
	}
	var res events.Result
	err := json.Unmarshal(st.Ended.Body, &res)
	return err == nil && res.Error != nil && (res.Error.Code == events.CodeDeadline || res.Error.Code == events.CodeExpired)
}

// lineID returns the id of an answer.
func lineID(r *record, k, i int) string {
	return "batch_req_" + strings.ReplaceAll(requestID(r.Batch.ID, k*chunkLines+i), "-", "")
}

// finish puts the answers together, and ends the batch.
func (s *Server) finish(ctx context.Context, r *record, canceled bool) error {
	b := &r.Batch
	if b.Status == InProgress {
		b.Status, b.FinalizingAt = Finalizing, at(s.now())
	}
	var err error
	if b.OutputFileID, err = s.file(ctx, r, "out", r.OutBytes); err != nil {
		return err
	}
	if b.ErrorFileID, err = s.file(ctx, r, "err", r.ErrBytes); err != nil {
		return err
	}
	switch {
	case canceled:
		b.Status, b.CancelledAt = Cancelled, at(s.now())
	case r.Late > 0:
		b.Status, b.ExpiredAt = Expired, at(s.now())
	default:
		b.Status, b.CompletedAt = Completed, at(s.now())
	}
	return nil
}

// file puts the chunks together in a file of the tenant's, and returns its id; nil if there is nothing in them.
func (s *Server) file(ctx context.Context, r *record, of string, size int64) (*string, error) {
	if size == 0 {
		return nil, nil //nolint:nilnil // no file is no error
	}
	id := "file-" + strings.TrimPrefix(r.Batch.ID, "batch_") + of
	name := r.Batch.ID + map[string]string{"out": "_output.jsonl", "err": "_error.jsonl"}[of]
	content := &chunks{ctx: ctx, open: func(k int) (io.ReadCloser, error) {
		if k == r.Collected {
			return nil, io.EOF
		}
		_, c, err := s.cfg.Objects.Get(ctx, r.key(of, k))
		return c, err
	}}
	defer content.close()
	if err := s.cfg.Files.Keep(ctx, r.Tenant, id, name, "batch_output", s.now().Add(keep), content); err != nil {
		return nil, fmt.Errorf("batches: %s of %s: %w", name, r.Batch.ID, err)
	}
	return &id, nil
}

// chunks reads objects one after the other.
type chunks struct {
	ctx  context.Context //nolint:containedctx // of the one read that it is made for
	open func(k int) (io.ReadCloser, error)
	next int
	now  io.ReadCloser
}

// Read implements io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	for {
		if err := c.ctx.Err(); err != nil {
			return 0, err
		}
		if c.now == nil {
			var err error
			if c.now, err = c.open(c.next); err != nil {
				c.now = nil
				return 0, err
			}
			c.next++
		}
		n, err := c.now.Read(p)
		if errors.Is(err, io.EOF) {
			_ = c.now.Close()
			c.now, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (c *chunks) close() {
	if c.now != nil {
		_ = c.now.Close()
	}
}

// clear removes what is not needed any more of a batch that is over. What it does not come to, expires.
func (s *Server) clear(ctx context.Context, r *record) {
	keys := []string{cancelKey(r.Tenant, r.Batch.ID)}
	for k := range r.Chunks {
		keys = append(keys, r.key("in", k), r.key("out", k), r.key("err", k))
	}
	for _, key := range keys {
		if err := s.cfg.Objects.Delete(ctx, key); err != nil {
			s.cfg.Log.WarnContext(ctx, "what a batch kept is not removed", "batch", r.Batch.ID, "error", err)
			return
		}
	}
}

func (s *Server) put(ctx context.Context, r *record, key string, content []byte) error {
	expires := s.now().Add(windowTime + keep)
	if _, err := s.cfg.Objects.Put(ctx, objects.Info{Key: key, Type: "application/json", Expires: expires}, bytes.NewReader(content)); err != nil {
		return fmt.Errorf("batches: put %s: %w", r.Batch.ID, err)
	}
	return nil
}

// get returns a small object whole.
func (s *Server) get(ctx context.Context, key string, limit int64) ([]byte, error) {
	_, content, err := s.cfg.Objects.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("batches: get: %w", err)
	}
	defer func() { _ = content.Close() }()
	b, err := io.ReadAll(io.LimitReader(content, limit+1))
	if err != nil {
		return nil, fmt.Errorf("batches: get: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("batches: get: an object is over %d bytes", limit)
	}
	return b, nil
}

// Dialect turns lines into requests and what became of them into responses.
type Dialect interface {
	// Request returns the unified request of a body, or the status and body by which it is refused.
	Request(endpoint string, body []byte) (request []byte, status int, refusal []byte)
	// Refusal returns the status and body of a problem of a given body.
	Refusal(endpoint string, given []byte, p *problem.Problem) (status int, body []byte)
	// Response returns the status and body of a request that has ended.
	Response(endpoint, messageID string, st results.Standing) (status int, body []byte)
}
