package ingest

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

// storeTimeout bounds the storing of one request. It is longer than a JetStream leader takes to be elected anew (a few
// seconds), and shorter than what callers commonly wait for an answer (30 seconds).
const storeTimeout = 10 * time.Second

// retryAfter is what a 503 asks for, in seconds: about the time in which such an outage is seen to pass.
const retryAfter = "2"

// Bounds of a deadline: what a request gets that names none, where the catalog does not say (the contract's default), and
// the most it gets, which is the schema's maximum of deadline_seconds.
const (
	defaultDeadline = time.Hour
	maxDeadline     = 24 * time.Hour
)

// Receipt is what the caller of an accepted request is told.
type Receipt struct{ MessageID, RequestID string }

// Submit takes in one request, and says in c which message it is once that is known. The steps are in this order, and this
// is what a crash (or a lost answer) means:
//
//	(0) parts          what was taken out of the body is in the object store, under an id of this reading of it.
//	                   A crash from here to (2) leaves objects that nothing refers to: they expire, an hour after the latest
//	                   deadline there is.
//	check, refused     nothing else is written yet: the caller repeats, and it is the first time again. Here, and wherever
//	                   neither an acceptance nor an event refers to the objects, they are removed before the answer.
//	(1) tally          enters the message id, where the tenant has a bound of what is queued.
//	                   A crash after it leaves an entry without a request, which counts until the request's deadline, or
//	                   until the caller repeats and the request ends.
//	(2) accept         writes tenant, ids, digest, and where the objects are, under the message id, once.
//	                   A crash after it leaves an acceptance without an event. Nobody was told 202. When the caller repeats,
//	                   it finds its own acceptance, still queued, and goes on to (3). If it never does, nothing runs:
//	                   polling says queued until the acceptance expires, and the entry counts until the deadline.
//	    spool          puts a request that is too large for an event into the object store, an hour after whose deadline it
//	                   expires. A crash after it is one after (2).
//	    inherit        a repeat that is still queued looks for the objects that the acceptance names. It refers to those, and
//	                   removes its own after (3); a crash before that leaves them to expire. If they are gone, or a crash
//	                   came before they were all put, it refers to its own: both are left to expire then but those of the
//	                   copy that runs.
//	(3) publish        stores the event, confirmed. A crash after it leaves a request that runs without its caller's
//	                   knowledge, as after any lost answer. When the caller repeats, the event has the same id and is
//	                   stored once; where the transport has forgotten the id, two copies exist, and the one that begins
//	                   first runs (see results.Beginning). If it is only the answer that was lost, the entry is taken out
//	                   again, and the request runs uncounted.
//	(4) 202            the caller knows. The entry is taken out when the request has ended, by whoever writes that down, or
//	                   by a cancel; a crash between the two leaves it to the tally itself, which looks when it is full.
//	                   So it is with the objects: a crash before they are removed leaves them to expire.
//
// The other order would let an event run, and end, that nothing can be polled of, and two bodies under one id both run.
func (s *Server) Submit(ctx context.Context, c *Caller, sub Submission) (Receipt, *problem.Problem) {
	own, needed := Body{Parts: sub.Parts, PartsID: sub.PartsID}, false
	defer func() {
		if !needed {
			s.Discard(ctx, own)
		}
	}()
	doc, req, p := s.check(c, sub)
	if p != nil {
		return Receipt{}, p
	}
	given := req.RequestID != ""
	body := sub.Body
	if !given {
		if req.RequestID = sub.FallbackID; req.RequestID == "" {
			req.RequestID = s.cfg.NewID()
		}
		body = withRequestID(body, req.RequestID)
	}
	rc := Receipt{RequestID: req.RequestID}
	// A UUID is the same in either case (RFC 9562, section 4), so the message is too.
	req.RequestID = strings.ToLower(req.RequestID)
	rc.MessageID = events.MessageID(c.Tenant.Name, req.RequestID)
	c.MessageID = rc.MessageID

	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	now := s.now()
	e := events.New(c.Tenant.Name, req, c.priority(req, sub), body, now, s.deadline(c, req, sub, now))
	e.Parts, e.PartsID = sub.Parts, sub.PartsID
	entry, p := s.admit(ctx, c, rc.MessageID, e)
	if p != nil {
		return Receipt{}, p
	}
	own = s.holding(e)
	e.PartsID = own.PartsID
	stood, stands, p := s.accept(ctx, rc, results.Acceptance{
		Tenant: c.Tenant.Name, RequestID: rc.RequestID, Model: req.ModelID,
		Digest: hex.EncodeToString(doc.digest[:]), AcceptedAt: now, Note: sub.Note,
		Parts: own.Parts, PartsID: own.PartsID,
	})
	needed = stood.PartsID == own.PartsID || stood.Digest == "" && s.accepted(ctx, rc.MessageID, own)
	if p == nil && stands == events.StatusQueued {
		first := stood.AcceptedAt
		e.Accepted, e.Expiry = first, s.deadline(c, req, sub, first)
		e.TraceParent, e.TraceState, e.Extra = sub.TraceParent, sub.TraceState, sub.Extra
		e.CacheKey = s.cacheKey(c, sub, e)
		if e, p = s.keep(ctx, e, stood); p == nil {
			p = s.publish(ctx, e)
			refers := needed || e.PartsID == own.PartsID // the event does, which may have been stored though p says not
			needed = refers && (p == nil || p.Status != http.StatusRequestEntityTooLarge)
		}
	}
	s.uncount(ctx, c, rc.MessageID, entry, p, stands)
	if p != nil {
		return Receipt{}, reusedBy(p, given, sub.at)
	}
	return rc, nil
}

// accept writes the acceptance, or finds what was accepted before. It returns which one stands, zero where that is not known,
// and how the request does. Its event is left to be published while it is queued: of one that has begun or ended, it was stored
// evidently.
func (s *Server) accept(
	ctx context.Context, rc Receipt, a results.Acceptance,
) (stood results.Acceptance, stands events.Status, _ *problem.Problem) {
	prior, err := s.cfg.Results.Accept(ctx, rc.MessageID, a)
	switch {
	case err != nil:
		return stood, "", s.unavailable("accept", rc.MessageID, err)
	case prior == nil:
		return a, events.StatusQueued, nil
	case prior.Digest != a.Digest:
		return *prior, "", problem.New(problem.IDReused, "")
	}
	standing, err := s.cfg.Results.Look(ctx, rc.MessageID)
	if err != nil && !errors.Is(err, results.ErrNotFound) { // it may expire between the two
		return *prior, "", s.unavailable("look", rc.MessageID, err)
	}
	return *prior, standing.Status(), nil
}

func (s *Server) publish(ctx context.Context, e events.Event) *problem.Problem {
	switch err := s.cfg.Publisher.Publish(ctx, e); {
	case err == nil:
		return nil
	case errors.Is(err, hop.ErrTooLarge):
		s.cfg.Log.Warn("event too large", "message_id", e.Subject, "bytes", len(e.Data))
		// It is accepted and will never run: whoever polls it must not wait.
		none := results.Beginning{Canceled: true, At: e.Time, Accepted: e.Accepted}
		if _, err := s.cfg.Results.Begin(ctx, e.Subject, none); err != nil {
			s.cfg.Log.Error("cannot cancel", "message_id", e.Subject, "error", err)
		}
		return problem.New(problem.TooLarge, "The request is larger than what the chain can carry.")
	default:
		return s.unavailable("publish", e.Subject, err)
	}
}

// unavailable is the problem of a step that could not be taken now; the same request may be sent again.
func (s *Server) unavailable(step, messageID string, err error) *problem.Problem {
	s.cfg.Log.Error("cannot store", "step", step, "message_id", messageID, "error", err)
	return problem.New(problem.Unavailable, "The request could not be stored. The same request may be sent again.").
		With("Retry-After", retryAfter)
}

// reusedBy completes the problem of an id that was used with another body: it says which id it was.
func reusedBy(p *problem.Problem, inBody bool, at string) *problem.Problem {
	if p.Type != problem.TypePrefix+string(problem.IDReused) {
		return p
	}
	if !inBody {
		p.Detail = "The Idempotency-Key, or the event's source and id, was used with another body before."
		return p
	}
	p.Detail = "The request_id was used with another body before."
	p.Errors = []problem.FieldError{{Pointer: at + "/request_id", Detail: "was used with another body: use a new one"}}
	return p
}

// priority returns the class of the request: what it says, then what its sender's event says, then its tenant's.
func (c *Caller) priority(req events.Request, sub Submission) events.Priority {
	for _, p := range []events.Priority{req.Priority, sub.Priority, c.Tenant.Priority} {
		if p.Valid() {
			return p
		}
	}
	return events.Normal
}

// deadline returns when no attempt is begun any more. It counts from the first acceptance, so that copies of a request that
// was published twice expire together; if that is past, the first publication never was, or its failure is on its way, and
// it counts anew.
func (s *Server) deadline(c *Caller, req events.Request, sub Submission, first time.Time) time.Time {
	allowed := c.Catalog.Limits.Deadline
	if allowed <= 0 {
		allowed = defaultDeadline
	}
	now := s.now()
	if req.DeadlineSeconds > 0 {
		allowed = time.Duration(req.DeadlineSeconds * float64(time.Second))
	} else if !sub.Expiry.IsZero() {
		allowed = maxDeadline
	}
	deadline := first.Add(allowed)
	if !deadline.After(now) {
		deadline = now.Add(allowed)
	}
	if !sub.Expiry.IsZero() && sub.Expiry.Before(deadline) {
		return sub.Expiry
	}
	return deadline
}
