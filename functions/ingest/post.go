package ingest

import (
	"context"
	"net/http"
	"strconv"

	"baton.dev/baton/internal/problem"
)

// postRequest answers POST /v1/inferences and /async-infer.
func (s *Server) postRequest(x *Exchange, r *http.Request) *problem.Problem {
	if p := noWait(r); p != nil {
		return p
	}
	if p := wantJSON(r); p != nil {
		return p
	}
	id, p := idempotencyID(r)
	if p != nil {
		return p
	}
	body, p := s.ReadBody(x, r)
	if p != nil {
		return p
	}
	sub := Submission{Body: body.Bytes, Parts: body.Parts, PartsID: body.PartsID, FallbackID: id}
	sub.TraceParent, sub.TraceState = traceContext(r.Header["Traceparent"], r.Header["Tracestate"])
	return s.take(x, r, sub)
}

// noWait is the problem of a POST that asks to wait as a poll does, or nil. It would be answered at once and not know why.
func noWait(r *http.Request) *problem.Problem {
	if r.URL.RawQuery == "" || !r.URL.Query().Has("wait") {
		return nil
	}
	return problem.New(problem.Malformed,
		"The query parameter wait is for polling: to wait for the result here, send the header Prefer: wait=N, N in seconds.")
}

// take submits and answers: 202, or with a Prefer header that says so, the result if it is there in time.
func (s *Server) take(x *Exchange, r *http.Request, sub Submission) *problem.Problem {
	sub.Fresh = wantsFresh(r.Header)
	rc, p := s.Submit(r.Context(), &x.Caller, sub)
	if p != nil {
		return p
	}
	x.Header()["Location"] = []string{requestPath + rc.MessageID}
	if given := r.Header["Prefer"]; len(given) > 0 {
		pref := parsePrefer(given)
		if pref.wait > 0 {
			x.AnswerIn(pref.wait)
			if body := s.await(r.Context(), rc.MessageID, pref); body != nil {
				x.Header().Set("Preference-Applied", "wait="+strconv.Itoa(int(pref.wait.Seconds())))
				x.WriteJSON(http.StatusOK, body)
				return nil
			}
		}
		if applied := pref.applied(); applied != "" {
			x.Header().Set("Preference-Applied", applied)
		}
	}
	x.WriteJSON(http.StatusAccepted, rc.queued())
	return nil
}

// await returns the result if the request ends within the wait, and nil if it does not. The request is accepted whatever
// happens here, so a results store that cannot be read is a wait that was in vain.
func (s *Server) await(ctx context.Context, messageID string, pref preference) []byte {
	standing, err := s.Wait(ctx, messageID, pref.wait)
	if err != nil {
		s.cfg.Log.Warn("cannot wait", "message_id", messageID, "error", err)
		return nil
	}
	if !standing.Terminal() {
		return nil
	}
	return Report(messageID, standing)
}

// queued returns the body of the 202. A caller that repeats its request is told the same again, however far it has come.
// The ids are UUIDs, which need no escaping.
func (rc Receipt) queued() []byte {
	b := make([]byte, 0, 160)
	b = append(b, `{"message_id":"`...)
	b = append(b, rc.MessageID...)
	b = append(b, `","request_id":"`...)
	b = append(b, rc.RequestID...)
	return append(b, `","status":"queued"}`+"\n"...)
}
