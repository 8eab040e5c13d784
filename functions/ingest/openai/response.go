package openai

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/openaiapi"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

// response finds the tenant's own Response that the path names, or answers why it cannot be had.
func (f *front) response(x *ingest.Exchange, r *http.Request) (*call, results.Standing, bool) {
	c := &call{front: f, x: x, r: r, began: f.now()}
	given := r.PathValue("id")
	var standing results.Standing
	var ok bool
	if c.messageID, ok = openaiapi.Responses.MessageID(given); !ok {
		c.fail(openaiapi.NotFound(given))
		return c, standing, false
	}
	standing, p := f.server.Look(r.Context(), &x.Caller, c.messageID)
	forgotten := false
	if p == nil {
		forgotten, p = f.server.Forgotten(r.Context(), c.messageID)
	}
	echo, is := openaiapi.ReadNote([]byte(standing.Accepted.Note))
	switch {
	case p != nil && p.Status != http.StatusNotFound:
		c.refuse(p)
		return c, standing, false
	case p != nil, forgotten, !is, !echo.Stored():
		c.fail(openaiapi.NotFound(given))
		return c, standing, false
	}
	c.request = &openaiapi.Request{
		Endpoint: openaiapi.Responses, Model: standing.Accepted.Model, Echo: echo, Background: echo.Background(),
	}
	return c, standing, true
}

// getResponse answers GET /v1/responses/{id}: the Response as far as it is, or its stream after the event that the caller has.
func (f *front) getResponse(x *ingest.Exchange, r *http.Request) *problem.Problem {
	c, standing, ok := f.response(x, r)
	if !ok {
		return nil
	}
	query := r.URL.Query()
	if query.Get("stream") != "true" && !streamInBody(r) {
		c.writeResponse(standing, c.request.Echo)
		return nil
	}
	after := -1
	if given := query.Get("starting_after"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 0 {
			c.fail(openaiapi.InvalidQuery("starting_after", "expected the sequence_number of an event"))
			return nil
		}
		after = n
	}
	leave, p := f.server.OpenStream(&x.Caller)
	if p != nil {
		return p
	}
	defer leave()
	n := openaiapi.NewResponseEvents(c.request.Echo, c.messageID, c.request.Model, standing.Accepted.AcceptedAt, after)
	c.follow(r.Context(), n, func() bool { return true }, true)
	return nil
}

// maxGetBody bounds what is read of the body of a GET, in bytes.
const maxGetBody = 1 << 10

// streamInBody reports whether the body of a GET asks for a stream: OpenAI's client for Go (v3.96.0) says it there, where its
// reference has it in the query.
func streamInBody(r *http.Request) bool {
	var in struct {
		Stream bool `json:"stream"`
	}
	err := json.NewDecoder(io.LimitReader(r.Body, maxGetBody)).Decode(&in)
	return err == nil && in.Stream
}

// cancelResponse answers POST /v1/responses/{id}/cancel: the Response as it is then. What has begun goes on.
func (f *front) cancelResponse(x *ingest.Exchange, r *http.Request) *problem.Problem {
	c, _, ok := f.response(x, r)
	if !ok {
		return nil
	}
	if !c.request.Background {
		c.fail(openaiapi.Synchronous())
		return nil
	}
	if _, p := f.server.Cancel(r.Context(), &x.Caller, c.messageID); p != nil {
		return p
	}
	standing, p := f.server.Look(r.Context(), &x.Caller, c.messageID)
	if p != nil {
		return p
	}
	c.writeResponse(standing, c.request.Echo)
	return nil
}

// deleteResponse answers DELETE /v1/responses/{id}: from then on there is no such Response. What has not begun is canceled. The
// result itself is kept until it expires, and is had under its message id.
func (f *front) deleteResponse(x *ingest.Exchange, r *http.Request) *problem.Problem {
	c, _, ok := f.response(x, r)
	if !ok {
		return nil
	}
	if p := f.server.Forget(r.Context(), &x.Caller, c.messageID); p != nil {
		return p
	}
	c.write(openaiapi.Deleted(c.messageID))
	return nil
}

// writeResponse answers with the Response of a request that stands so.
func (c *call) writeResponse(standing results.Standing, echo openaiapi.Echo) {
	if !standing.Terminal() {
		accepted := standing.Accepted
		c.write(echo.Pending(c.messageID, accepted.Model, accepted.AcceptedAt, standing.Status()))
		return
	}
	res, err := resultOf(c.messageID, standing)
	var body []byte
	if err == nil {
		body, err = echo.Response(res)
	}
	if err != nil {
		c.fail(openaiapi.Unusable())
		return
	}
	c.write(body)
}
