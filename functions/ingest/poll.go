package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

// getRequest answers GET /v1/inferences/{message_id}: the result, or where the request stands. With ?wait it answers when
// there is a result, or the wait is over.
func (s *Server) getRequest(x *exchange, r *http.Request) *problem.Problem {
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
		later, err := s.wait(r.Context(), x.messageID, wait)
		if err != nil {
			return s.unread(x.messageID, err)
		}
		standing = later
	}
	x.writeJSON(http.StatusOK, report(x.messageID, standing))
	return nil
}

// deleteRequest answers DELETE /v1/inferences/{message_id}: it cancels what has not begun, and says what became of it. To
// cancel again is no error.
func (s *Server) deleteRequest(x *exchange, r *http.Request) *problem.Problem {
	standing, p := s.look(r.Context(), x)
	if p != nil {
		return p
	}
	status := standing.Status()
	if status == events.StatusQueued {
		begun, err := s.cfg.Results.Begin(r.Context(), x.messageID,
			results.Beginning{Canceled: true, At: s.now(), Accepted: standing.Accepted.AcceptedAt})
		if err != nil {
			return s.unread(x.messageID, err)
		}
		if status = events.StatusRunning; begun.Canceled {
			status = events.StatusCanceled
		}
	}
	if status == events.StatusCanceled {
		s.canceled(r.Context(), x)
	}
	x.writeJSON(http.StatusOK, state{x.messageID, standing.Accepted.RequestID, status, ""}.json())
	return nil
}

// canceled counts a canceled request no more: again each time, since the time before may have been cut short.
func (s *Server) canceled(ctx context.Context, x *exchange) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if s.cfg.Tally != nil {
		s.cfg.Tally.Leave(ctx, x.tenant, x.messageID)
	}
}

// wait returns where the request stands when it has ended, and at the latest after so long a time, or when the caller is
// gone or the server drains.
func (s *Server) wait(ctx context.Context, messageID string, atMost time.Duration) (results.Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	defer context.AfterFunc(s.cfg.Drain, cancel)()
	return s.cfg.Results.Wait(ctx, messageID)
}

// look returns where the tenant's own request stands. Of another tenant's it says what it says of one that is not there.
func (s *Server) look(ctx context.Context, x *exchange) (results.Standing, *problem.Problem) {
	nowhere := problem.New(problem.NotFound, "There is no such request, or its result is no longer kept.")
	id, err := uuid.Parse(x.pathID)
	if err != nil || len(x.pathID) != len(id.String()) { // Parse takes other spellings, of other lengths
		return results.Standing{}, nowhere
	}
	x.messageID = id.String()
	standing, err := s.cfg.Results.Look(ctx, x.messageID)
	switch {
	case errors.Is(err, results.ErrNotFound):
		return standing, nowhere
	case err != nil:
		return standing, s.unread(x.messageID, err)
	case standing.Accepted.Tenant != x.tenant.Name:
		return results.Standing{}, nowhere
	}
	return standing, nil
}

// unread is the problem of a results store that cannot be reached.
func (s *Server) unread(messageID string, err error) *problem.Problem {
	if errors.Is(err, results.ErrNotFound) { // expired since the first look
		return problem.New(problem.NotFound, "There is no such request, or its result is no longer kept.")
	}
	s.cfg.Log.Error("cannot read results", "message_id", messageID, "error", err)
	return problem.New(problem.Unavailable, "The results cannot be read now.").With("Retry-After", retryAfter)
}

// report returns what polling says of a request: the result's bytes as they are stored, or where it stands.
func report(messageID string, st results.Standing) []byte {
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
