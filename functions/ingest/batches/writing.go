package batches

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"baton.dev/baton/functions/ingest"
)

// writing reads as the lines of one kind of a chunk's answers: those that are good, or those that are not. It makes one after
// the other, and holds one. It is for one goroutine.
type writing struct {
	ctx      context.Context //nolint:containedctx // of the one put that it is made for
	s        *Server
	r        *record
	caller   ingest.Caller
	verdicts []verdict // what is left of the chunk's
	good     bool

	line  bytes.Buffer // what is not read of it
	lines int          // that were made
	bytes int64        // of them
}

// Read implements io.Reader.
func (w *writing) Read(p []byte) (int, error) {
	for w.line.Len() == 0 {
		if len(w.verdicts) == 0 {
			return 0, io.EOF
		}
		v := w.verdicts[0]
		if v.good == w.good {
			if err := w.write(v); err != nil {
				return 0, err
			}
		}
		w.verdicts = w.verdicts[1:]
	}
	return w.line.Read(p)
}

func (w *writing) write(v verdict) error {
	a := v.answered
	if v.ended {
		of := w.caller
		standing, p := w.s.cfg.Door.Look(w.ctx, &of, a.Response.RequestID)
		if p != nil {
			return unknown(w.r, a.Response.RequestID, p)
		}
		status, body := w.s.cfg.Dialect.Response(w.r.Batch.Endpoint, a.Response.RequestID, standing)
		a.Response = &response{status, a.Response.RequestID, body}
	}
	w.line.Reset()
	enc := json.NewEncoder(&w.line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a); err != nil {
		return fmt.Errorf("batches: encode an answer of %s: %w", w.r.Batch.ID, err)
	}
	w.lines++
	w.bytes += int64(w.line.Len())
	return nil
}
