package ingest

import (
	"cmp"
	"context"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

// defaultMaxEvent keeps an event, with its headers, below the 1 MiB that NATS takes by default (max_payload), and SQS at most.
const defaultMaxEvent = 900 << 10

// partsGrace is how long what is kept for a request outlives its deadline: an attempt that was begun by then may read it, and
// clocks differ.
const partsGrace = time.Hour

// large reports whether an event is larger than the transport carries.
func (s *Server) large(e events.Event) bool {
	most := s.cfg.MaxEvent
	if most <= 0 {
		most = defaultMaxEvent
	}
	return s.cfg.Objects != nil && len(e.Data) > most
}

// holding returns what is to be kept for an event: what was taken out of its body, and the request itself if it is large.
func (s *Server) holding(e events.Event) Body {
	own := Body{Parts: e.Parts, PartsID: e.PartsID}
	if s.large(e) {
		own.Parts++
		own.PartsID = cmp.Or(own.PartsID, attachments.NewPartsID())
	}
	return own
}

// keep returns the event as it is published: of a request that was accepted before, with what has been kept since then, if it
// still is; else with its own. A request that is large goes into the object store.
func (s *Server) keep(ctx context.Context, e events.Event, stood results.Acceptance) (events.Event, *problem.Problem) {
	if stood.PartsID != e.PartsID {
		if inherited, ok := s.inherit(ctx, e, stood); ok {
			e = inherited
		}
	}
	if !s.large(e) {
		return e, nil
	}
	spooled, err := attachments.Spool(ctx, s.cfg.Objects, e, stood.RequestID, e.Expiry.Add(partsGrace))
	if err != nil {
		return e, s.unavailable("spool", e.Subject, err)
	}
	return spooled, nil
}

// inherit returns the event as one that refers to what was kept when its request was accepted, and reports whether that is there,
// for as long as it will be needed. It is all there, or as good as, if the last object is: that was put last.
func (s *Server) inherit(ctx context.Context, e events.Event, stood results.Acceptance) (events.Event, bool) {
	if s.cfg.Objects == nil || stood.Parts == 0 || stood.Parts < e.Parts {
		return e, false
	}
	info, err := s.cfg.Objects.Stat(ctx, attachments.PartKey(stood.PartsID, stood.Parts-1))
	if err != nil || !info.Expires.IsZero() && info.Expires.Before(e.Expiry.Add(partsGrace/2)) {
		return e, false
	}
	e.PartsID = stood.PartsID
	if stood.Parts > e.Parts {
		e = attachments.Spooled(e, info, stood.RequestID)
	}
	return e, true
}

// accepted reports whether the acceptance of the message refers to the objects, though its writing failed: its answer may have
// been lost. Where that cannot be known nobody else knows it either, so nothing refers to them.
func (s *Server) accepted(ctx context.Context, messageID string, own Body) bool {
	if own.Parts == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	standing, err := s.cfg.Results.Look(ctx, messageID)
	return err == nil && standing.Accepted.PartsID == own.PartsID
}
