package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

// Look returns where the tenant's own request stands, and says in c which it is. Of another tenant's, and of what is no
// message id, it says what it says of one that is not there.
func (s *Server) Look(ctx context.Context, c *Caller, messageID string) (results.Standing, *problem.Problem) {
	nowhere := problem.New(problem.NotFound, "There is no such request, or its result is no longer kept.")
	id, err := uuid.Parse(messageID)
	if err != nil || len(messageID) != len(id.String()) { // Parse takes other spellings, of other lengths
		return results.Standing{}, nowhere
	}
	c.MessageID = id.String()
	standing, err := s.cfg.Results.Look(ctx, c.MessageID)
	switch {
	case errors.Is(err, results.ErrNotFound):
		return standing, nowhere
	case err != nil:
		return standing, s.unread(c.MessageID, err)
	case standing.Accepted.Tenant != c.Tenant.Name:
		return results.Standing{}, nowhere
	}
	return standing, nil
}

// Wait returns where the request stands when it has ended, and at the latest after so long a time, or when the caller is
// gone or the server drains.
func (s *Server) Wait(ctx context.Context, messageID string, atMost time.Duration) (results.Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	defer context.AfterFunc(s.cfg.Drain, cancel)()
	return s.cfg.Results.Wait(ctx, messageID)
}

// Cancel cancels the tenant's own request if it has not begun, and returns how it stands.
func (s *Server) Cancel(ctx context.Context, c *Caller, messageID string) (events.Status, *problem.Problem) {
	standing, p := s.Look(ctx, c, messageID)
	if p != nil {
		return "", p
	}
	return s.cancel(ctx, c, standing)
}
