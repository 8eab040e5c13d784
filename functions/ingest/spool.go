package ingest

import (
	"context"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/problem"
)

// defaultMaxEvent keeps an event, with its headers, below the 1 MiB that NATS takes by default (max_payload), and SQS at most.
const defaultMaxEvent = 900 << 10

// partsGrace is how long what is kept for a request outlives its deadline: an attempt that was begun by then may read it, and
// clocks differ.
const partsGrace = time.Hour

// spool puts the request of an event that is larger than the transport carries into the object store, and returns the event
// that refers to it. Others it returns as they are.
func (s *Server) spool(ctx context.Context, e events.Event, requestID string) (events.Event, *problem.Problem) {
	most := s.cfg.MaxEvent
	if most <= 0 {
		most = defaultMaxEvent
	}
	if s.cfg.Objects == nil || len(e.Data) <= most {
		return e, nil
	}
	spooled, err := attachments.Spool(ctx, s.cfg.Objects, e, requestID, e.Expiry.Add(partsGrace))
	if err != nil {
		return e, s.unavailable("spool", e.Subject, err)
	}
	return spooled, nil
}
