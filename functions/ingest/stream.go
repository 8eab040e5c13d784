package ingest

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/tokens"
)

// eventStreamType is the media type of server-sent events.
const eventStreamType = "text/event-stream"

// heldBack is how long a stream lasts at most whose answer goes out only when it is whole, as on Lambda. Its caller comes again
// and goes on after the last piece.
const heldBack = 2 * time.Second

// streamRoute returns the route of GET /v1/inferences/{message_id}/stream.
func (s *Server) streamRoute() Route {
	return Route{
		Pattern: requestPath + "{message_id}/stream",
		Methods: map[string]Handler{http.MethodGet: s.getStream},
	}
}

// getStream answers with server-sent events (HTML Standard, section 9.2): where the request stands, the pieces of its answer as
// the model makes them, where it streams, and its result, after which the stream ends. A caller that was cut off goes on after
// the last event it had, and one that had the result is told with 204 to come no more.
func (s *Server) getStream(x *Exchange, r *http.Request) *problem.Problem {
	if !accepts(r.Header["Accept"], eventStreamType) {
		return problem.New(problem.NotAcceptable, "A stream is had as text/event-stream, which Accept leaves out.")
	}
	after, ended, p := lastEvent(r)
	if p != nil {
		return p
	}
	standing, p := s.Look(r.Context(), &x.Caller, messageID(r.PathValue("message_id")))
	if p != nil {
		return p
	}
	if ended && standing.Terminal() {
		x.Header()["Cache-Control"] = noStore
		x.WriteHeader(http.StatusNoContent)
		return nil
	}
	leave, p := s.OpenStream(&x.Caller)
	if p != nil {
		return p
	}
	defer leave()
	st := openEventStream(r.Context(), x, after)
	defer st.close()
	if r.Method == http.MethodHead {
		return nil
	}
	st.begin()
	s.stream(st, x.MessageID, standing)
	return nil
}

// stream sends what there is to say of the request from the standing on.
func (s *Server) stream(st *eventStream, messageID string, standing results.Standing) {
	if !standing.Terminal() {
		ctx := st.ctx
		if st.heldBack {
			bounded, cancel := context.WithTimeout(ctx, heldBack)
			defer cancel()
			ctx = bounded
		}
		told := func(now results.Standing) { st.stands(now.Status(), Report(messageID, now)) }
		told(standing)
		st.begun = state{messageID, standing.Accepted.RequestID, events.StatusRunning, standing.Accepted.Model}.json()
		var err error
		if standing, err = s.follow(ctx, messageID, st.last, nil, st.piece, told); err != nil {
			s.cfg.Log.Error("stream ends: cannot read results", "message_id", messageID, "error", err)
			st.comment("the results cannot be read now: come again")
			return
		}
	}
	if !standing.Terminal() { // the server stops, or the answer is held back
		st.comment("to be continued")
		return
	}
	st.result(Report(messageID, standing))
}

// lastEvent reads which event the caller had last: that of a piece, or the result's. A header that the browser sends with each
// reconnection is later than what the URL says.
func lastEvent(r *http.Request) (after tokens.ID, ended bool, _ *problem.Problem) {
	given := r.Header.Get("Last-Event-ID")
	if given == "" && r.URL.RawQuery != "" {
		given = r.URL.Query().Get("last_event_id")
	}
	switch given {
	case "":
		return after, false, nil
	case resultID:
		return after, true, nil
	}
	after, err := tokens.ParseID(given)
	if err != nil {
		return after, false, problem.New(problem.Malformed,
			"Last-Event-ID is the id of no event here: send that of the last event there was, such as 1.1.0, or none.")
	}
	return after, false, nil
}

// accepts reports whether the Accept headers let the media type through (RFC 9110, section 12.5.1): of the ranges that match it,
// the most specific counts. Without a header every type does.
func accepts(headers []string, mediaType string) bool {
	major, _, _ := strings.Cut(mediaType, "/")
	best, ok := 0, len(headers) == 0
	for _, header := range headers {
		for _, item := range splitUnquoted(header, ',') {
			given, parameters, _ := cutUnquoted(item, ';')
			specific := 0
			switch strings.ToLower(strings.TrimSpace(given)) {
			case mediaType:
				specific = 3
			case major + "/*":
				specific = 2
			case "*/*":
				specific = 1
			}
			if specific > best {
				best, ok = specific, quality(parameters) > 0
			}
		}
	}
	return ok
}

// quality reads the weight among a media range's parameters; 1 where there is none that can be read.
func quality(parameters string) float64 {
	for _, parameter := range splitUnquoted(parameters, ';') {
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			if q, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil {
				return q
			}
		}
	}
	return 1
}
