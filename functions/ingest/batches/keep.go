package batches

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"baton.dev/baton/internal/objects"
)

// errSpoiled is for what is kept of a batch and cannot be what was written, as [objects.ErrAltered] is.
var errSpoiled = errors.New("batches: it is not what was written")

// lost reports whether an error may well not mend: something of the batch is gone, or not as it was. It may also be that two
// make a step, and one replaces or removes what the other reads.
func lost(err error) bool {
	return errors.Is(err, objects.ErrNotFound) || errors.Is(err, objects.ErrAltered) || errors.Is(err, errSpoiled)
}

func (s *Server) put(ctx context.Context, r *record, key string, content []byte) error {
	return s.store(ctx, r, key, bytes.NewReader(content))
}

func (s *Server) store(ctx context.Context, r *record, key string, content io.Reader) error {
	in := objects.Info{Key: key, Type: "application/json", Expires: s.now().Add(windowTime + keep)}
	if _, err := s.cfg.Objects.Put(ctx, in, content); err != nil {
		return fmt.Errorf("batches: put %s: %w", r.Batch.ID, err)
	}
	return nil
}

// readTries is how often an object is read that is not what was put: it may be replaced just then.
const readTries = 4

// get returns a small object whole.
func (s *Server) get(ctx context.Context, key string, limit int64) (b []byte, err error) {
	for range readTries {
		if b, err = s.once(ctx, key, limit); !errors.Is(err, objects.ErrAltered) {
			break
		}
	}
	return b, err
}

func (s *Server) once(ctx context.Context, key string, limit int64) ([]byte, error) {
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
		return nil, fmt.Errorf("%w: it is over %d bytes", errSpoiled, limit)
	}
	return b, nil
}
