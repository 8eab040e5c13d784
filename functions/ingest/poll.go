package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

// getRequest answers GET /v1/inferences/{message_id}: the result, or where the request stands. With ?wait it answers when
// there is a result, or the wait is over.
func (s *Server) getRequest(x *Exchange, r *http.Request) *problem.Problem {
	query := r.URL.Query()
	wait, ok := parseWait(query.Get("wait"))
	if query.Has("wait") && !ok {
		return problem.New(problem.Malformed, "The query parameter wait must be seconds or a duration, such as 30 or 30s.")
	}
	standing, p := s.look(r.Context(), x)
	if p != nil {
		return p
	}
	if wait > 0 && !standing.Terminal() {
		x.AnswerIn(wait)
		later, err := s.Wait(r.Context(), x.MessageID, wait)
		if err != nil {
			return s.unread(x.MessageID, err)
		}
		standing = later
	}
	x.WriteJSON(http.StatusOK, Report(x.MessageID, standing))
	return nil
}

// deleteRequest answers DELETE /v1/inferences/{message_id}: it cancels what has not begun, and says what became of it. To
// cancel again is no error.
func (s *Server) deleteRequest(x *Exchange, r *http.Request) *problem.Problem {
	standing, p := s.look(r.Context(), x)
	if p != nil {
		return p
	}
	status, p := s.cancel(r.Context(), &x.Caller, standing)
	if p != nil {
		return p
	}
	x.WriteJSON(http.StatusOK, state{x.MessageID, standing.Accepted.RequestID, status, ""}.json())
	return nil
}

// cancel cancels the request that c names if it has not begun, and returns how it stands.
func (s *Server) cancel(ctx context.Context, c *Caller, standing results.Standing) (events.Status, *problem.Problem) {
	status := standing.Status()
	if status == events.StatusQueued {
		begun, err := s.cfg.Results.Begin(ctx, c.MessageID,
			results.Beginning{Canceled: true, At: s.now(), Accepted: standing.Accepted.AcceptedAt})
		if err != nil {
			return status, s.unread(c.MessageID, err)
		}
		if status = events.StatusRunning; begun.Canceled {
			status = events.StatusCanceled
		}
	}
	if status == events.StatusCanceled {
		s.canceled(ctx, c, standing.Accepted)
	}
	return status, nil
}

// canceled counts a canceled request no more, and removes what is kept for it: again each time, since the time before may have
// been cut short. It comes after the cancel is written, from when on nothing of the request is run; a copy of its event that
// finds nothing fails, and is dropped since it was canceled.
func (s *Server) canceled(ctx context.Context, c *Caller, a results.Acceptance) {
	s.discard(ctx, a.PartsID, a.Parts)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if s.cfg.Tally != nil {
		s.cfg.Tally.Leave(ctx, c.Tenant, c.MessageID)
	}
}

// look returns where the tenant's own request stands that the path names.
func (s *Server) look(ctx context.Context, x *Exchange) (results.Standing, *problem.Problem) {
	return s.Look(ctx, &x.Caller, messageID(x.pathID))
}

// unread is the problem of a results store that cannot be reached.
func (s *Server) unread(messageID string, err error) *problem.Problem {
	if errors.Is(err, results.ErrNotFound) { // expired since the first look
		return problem.New(problem.NotFound, "There is no such request, or its result is no longer kept.")
	}
	s.cfg.Log.Error("cannot read results", "message_id", messageID, "error", err)
	return problem.New(problem.Unavailable, "The results cannot be read now.").With("Retry-After", retryAfter)
}

// Report returns what polling says of a request: the result's bytes as they are stored, or where it stands.
func Report(messageID string, st results.Standing) []byte {
	switch {
	case st.Ended != nil:
		return st.Ended.Body
	case st.Status() == events.StatusCanceled:
		return canceledResult(messageID, st)
	default:
		return state{messageID, st.Accepted.RequestID, st.Status(), st.Accepted.Model}.json()
	}
}

// canceledResult returns the result of a request that was canceled: no hop made one, so it is made from what was accepted.
func canceledResult(messageID string, st results.Standing) []byte {
	return encode(events.Result{
		MessageID: messageID, RequestID: st.Accepted.RequestID, Status: events.StatusCanceled, ModelID: st.Accepted.Model,
		Timings: events.Timings{
			AcceptedAt: st.Accepted.AcceptedAt, CompletedAt: st.Begun.At,
			QueueMS: max(0, st.Begun.At.Sub(st.Accepted.AcceptedAt).Milliseconds()),
		},
	})
}

// state is where a request without a result stands.
type state struct {
	MessageID string        `json:"message_id"`
	RequestID string        `json:"request_id"`
	Status    events.Status `json:"status"`
	ModelID   string        `json:"model_id,omitempty"`
}

func (st state) json() []byte { return encode(st) }

// encode returns a value of this package as a line of JSON.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // the values are structs of strings, numbers and times
		panic(err)
	}
	return append(b, '\n')
}
