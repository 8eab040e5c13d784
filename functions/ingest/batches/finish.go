package batches

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

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
	keys := append(make([]string, 0, 2+3*r.Chunks), openKey(r.Tenant, r.Batch.ID), cancelKey(r.Tenant, r.Batch.ID))
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
