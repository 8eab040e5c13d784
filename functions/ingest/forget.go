package ingest

import (
	"context"

	"baton.dev/baton/internal/problem"
)

// Forget writes down that the caller wants no more of the tenant's own request, and cancels it if it has not begun. What it
// means that a request is forgotten is for the interface that offers it; the facts of it stay until they expire.
func (s *Server) Forget(ctx context.Context, c *Caller, messageID string) *problem.Problem {
	standing, p := s.Look(ctx, c, messageID)
	if p != nil {
		return p
	}
	if _, p := s.cancel(ctx, c, standing); p != nil {
		return p
	}
	if err := s.cfg.Results.Forget(ctx, c.MessageID, standing.Accepted.AcceptedAt); err != nil {
		return s.unread(c.MessageID, err)
	}
	return nil
}

// Forgotten reports whether Forget was called for the request.
func (s *Server) Forgotten(ctx context.Context, messageID string) (bool, *problem.Problem) {
	forgotten, err := s.cfg.Results.Forgotten(ctx, messageID)
	if err != nil {
		return false, s.unread(messageID, err)
	}
	return forgotten, nil
}
