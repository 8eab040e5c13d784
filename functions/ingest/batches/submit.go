package batches

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/problem"
)

// submit hands the chunk in, and reports whether all of it was: a line that cannot be taken at the moment stops it, and the
// next step begins with the chunk again, of which the first lines then are known. A line that is refused is told in the
// answers, since it is refused again.
func (s *Server) submit(ctx context.Context, r *record, k int) (bool, error) {
	lines, err := s.lines(ctx, r, k)
	if err != nil {
		return false, err
	}
	caller, ok := s.caller(r)
	if !ok {
		return true, nil // the tenant is gone: its lines are refused when they are collected
	}
	for i, l := range lines {
		if _, _, later := s.hand(ctx, r, caller, k, i, l); later {
			return false, nil
		}
	}
	return true, nil
}

// caller returns who the batch is of, as the configuration has it now.
func (s *Server) caller(r *record) (ingest.Caller, bool) {
	cat := s.cfg.Catalog()
	tenant, ok := cat.Tenants[r.Tenant]
	return ingest.Caller{Catalog: cat, Tenant: tenant}, ok
}

// hand hands a line in. It returns the status and the body of a line that is refused, 0 for one that is accepted, and whether
// it may be accepted later.
func (s *Server) hand(
	ctx context.Context, r *record, caller ingest.Caller, k, i int, l line,
) (status int, refusal []byte, later bool) {
	body, status, refusal := s.cfg.Dialect.Request(r.Batch.Endpoint, l.Body)
	if status != 0 {
		return status, refusal, false
	}
	_, p := s.cfg.Door.Submit(ctx, &caller, ingest.Submission{
		Body: body, FallbackID: requestID(r.Batch.ID, k*chunkLines+i), Priority: events.Low,
		Expiry: time.Unix(r.Batch.ExpiresAt, 0),
	})
	if p == nil {
		return 0, nil, false
	}
	status, refusal = s.cfg.Dialect.Refusal(r.Batch.Endpoint, l.Body, p)
	return status, refusal, passing(p)
}

// passing reports whether what a problem says may pass.
func passing(p *problem.Problem) bool {
	return p.Status == http.StatusTooManyRequests || p.Status >= http.StatusInternalServerError
}

// cancelBegun cancels what was handed in and has not begun.
func (s *Server) cancelBegun(ctx context.Context, r *record) error {
	caller, ok := s.caller(r)
	for k := r.Collected; ok && k < r.Chunks && k <= r.Submitted; k++ { // the last may be handed in in part
		lines, err := s.lines(ctx, r, k)
		if err != nil {
			return err
		}
		for i := range lines {
			of := caller
			if _, p := s.cfg.Door.Cancel(ctx, &of, r.messageID(k*chunkLines+i)); p != nil && passing(p) {
				return fmt.Errorf("batches: cancel %s: %s", r.Batch.ID, p.Title)
			}
		}
	}
	return nil
}
