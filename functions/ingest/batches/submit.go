package batches

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/problem"
)

// Bounds of handing lines in.
const (
	// submitTime is how long a step hands lines in: it has to end within the time of a function.
	submitTime = 15 * time.Second
	// brokenTries is how many steps try a line that this side breaks at, before its answer is that.
	brokenTries = 5
)

// submit hands in what is left of the next chunk, from the line on that the record names, and reports whether the next step
// may go on at once. A line that cannot be taken at the moment stops it: the batch waits, and a later step goes on with that
// line. A line that is refused for good is told in the answers, since it is refused again.
//
// A crash before the record is written leaves lines that are handed in again, from the same line on: they are known then.
func (s *Server) submit(ctx context.Context, r *record) (onward bool, err error) {
	lines, err := s.lines(ctx, r, r.Submitted)
	if err != nil {
		return false, err
	}
	caller, ok := s.caller(r)
	if !ok {
		r.Next = len(lines) // the tenant is gone: its lines are refused when they are collected
	}
	for until := s.now().Add(submitTime); r.Next < len(lines); r.Next++ {
		if !s.now().Before(until) {
			return true, nil
		}
		if s.cfg.Door.Paced(ctx, &caller) != nil {
			return false, nil
		}
		of := caller
		switch s.hand(ctx, r, &of, r.Submitted, r.Next, lines[r.Next]).fate {
		case later:
			return false, nil
		case broken:
			r.Tries++
			if r.Tries < brokenTries {
				return false, nil
			}
		case taken, refused:
		}
		r.Tries, r.Waits = 0, 0
	}
	r.Submitted, r.Next = r.Submitted+1, 0
	return true, nil
}

// caller returns who the batch is of, as the configuration has it now.
func (s *Server) caller(r *record) (ingest.Caller, bool) {
	cat := s.cfg.Catalog()
	tenant, ok := cat.Tenants[r.Tenant]
	return ingest.Caller{Catalog: cat, Tenant: tenant}, ok
}

// fate is what became of a line that was handed in.
type fate int

const (
	taken   fate = iota
	refused      // for good
	later        // it may be taken later
	broken       // this side broke at it, and may do so each time
)

// handed is what became of a line that was handed in, and if it was not taken, the status and body of its answer.
type handed struct {
	fate   fate
	status int
	body   []byte
}

// hand hands a line in, the same way as a call of the endpoint by itself goes: its large parts are taken out of it, and what
// is left is read.
func (s *Server) hand(ctx context.Context, r *record, caller *ingest.Caller, k, i int, l line) (h handed) {
	endpoint := r.Batch.Endpoint
	refusal := func(p *problem.Problem) handed {
		status, body := s.cfg.Dialect.Refusal(endpoint, l.Body, p)
		return handed{fateOf(p), status, body}
	}
	defer func() {
		if v := recover(); v != nil {
			s.cfg.Log.ErrorContext(ctx, "panic", "batch", r.Batch.ID, "chunk", k, "line", i, "panic", v, "stack", string(debug.Stack()))
			h = refusal(problem.New(problem.Internal, ""))
		}
	}()
	given, p := s.cfg.Door.TakeBody(ctx, caller, l.Body)
	if p != nil {
		return refusal(p)
	}
	body, status, text := s.cfg.Dialect.Request(endpoint, given.Bytes)
	if status != 0 {
		s.cfg.Door.Discard(ctx, given)
		return handed{refused, status, text}
	}
	_, p = s.cfg.Door.Submit(ctx, caller, ingest.Submission{
		Body: body, Parts: given.Parts, PartsID: given.PartsID, FallbackID: requestID(r.Batch.ID, k*chunkLines+i),
		Priority: events.Low, Expiry: time.Unix(r.Batch.ExpiresAt, 0),
	})
	if p != nil {
		return refusal(p)
	}
	return handed{fate: taken}
}

// fateOf returns what a problem means for a line.
func fateOf(p *problem.Problem) fate {
	switch {
	case p.Status == http.StatusInternalServerError:
		return broken
	case p.Status == http.StatusTooManyRequests || p.Status > http.StatusInternalServerError:
		return later
	default:
		return refused
	}
}

// cancelBegun cancels what was handed in and has not begun.
func (s *Server) cancelBegun(ctx context.Context, r *record) error {
	caller, ok := s.caller(r)
	for k := r.Collected; ok && k < r.Chunks && k <= r.Submitted; k++ { // of the last, some may be handed in
		lines, err := s.lines(ctx, r, k)
		if err != nil {
			return err
		}
		for i := range lines {
			of := caller
			if _, p := s.cfg.Door.Cancel(ctx, &of, r.messageID(k*chunkLines+i)); p != nil && fateOf(p) != refused {
				return fmt.Errorf("batches: cancel %s: %s", r.Batch.ID, p.Title)
			}
		}
	}
	return nil
}
