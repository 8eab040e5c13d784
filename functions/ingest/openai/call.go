package openai

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/openaiapi"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

// call is a request of one of the endpoints on its way.
type call struct {
	*front
	x         *ingest.Exchange
	r         *http.Request
	request   *openaiapi.Request
	sub       ingest.Submission
	messageID string
	began     time.Time
	patience  time.Duration // how long the caller waits
}

// post answers a POST of an endpoint.
func (f *front) post(x *ingest.Exchange, r *http.Request, e openaiapi.Endpoint) *problem.Problem {
	began := f.now()
	sub, p := ingest.Heading(r)
	if p != nil {
		return p
	}
	body, ok := f.readBody(x, r, e)
	if !ok {
		return nil
	}
	request, refusal := openaiapi.Read(e, body.Bytes)
	if refusal != nil {
		f.server.Discard(r.Context(), body)
		fail(x, refusal)
		return nil
	}
	if sub.FallbackID == "" {
		sub.FallbackID = f.newID()
	}
	sub.Body, sub.Parts, sub.PartsID = request.Unified, body.Parts, body.PartsID
	if e == openaiapi.Responses {
		sub.Note = string(request.Echo.Note())
	}
	c := &call{
		front: f, x: x, r: r, request: request, sub: sub, began: began,
		// The body names no request: parameters that are called so go to the model.
		messageID: events.MessageID(x.Tenant.Name, strings.ToLower(sub.FallbackID)),
	}
	switch {
	case request.Stream && request.Background:
		c.stream()
	case request.Background:
		c.background()
	case request.Stream:
		c.wait(max(patience(r), defaultPatience)) // a client's time is for the first byte
		c.stream()
	default:
		c.wait(patience(r))
		c.answer()
	}
	return nil
}

// defaultPatience is how long the official clients wait that are not told otherwise.
const defaultPatience = 10 * time.Minute

// patience returns how long the client says that it waits, by the headers of the official clients: that of Go and JavaScript,
// and that of Python.
func patience(r *http.Request) time.Duration {
	for _, name := range []string{"X-Stainless-Timeout", "X-Stainless-Read-Timeout"} {
		if s, err := strconv.ParseFloat(r.Header.Get(name), 64); err == nil && s > 0 {
			return time.Duration(min(s, defaultPatience.Seconds()*100) * float64(time.Second))
		}
	}
	return defaultPatience
}

// wait sets how long the call waits at most, and the request's deadline with it. The deadline comes a moment earlier, and the
// answer that it has passed is there before the client gives up.
func (c *call) wait(patience time.Duration) {
	if most := c.x.Catalog.Limits.Deadline; most > 0 {
		patience = min(patience, most)
	}
	if end, ok := c.r.Context().Deadline(); ok { // whoever runs this waits no longer for an answer, as API Gateway does not
		patience = min(patience, end.Sub(c.now()))
	}
	moment := min(patience/10, time.Second)
	c.patience = patience - moment/2
	c.x.AnswerIn(c.patience)
	c.sub.Expiry = c.began.Add(patience - moment).UTC().Round(0)
}

// submit takes the request in, or answers why not.
func (c *call) submit() bool {
	_, p := c.server.Submit(c.r.Context(), &c.x.Caller, c.sub)
	if p == nil {
		return true
	}
	if c.r.Context().Err() != nil && p.Status >= http.StatusInternalServerError {
		c.disconnected() // what its hanging up cut short may be stored all the same
	}
	c.refuse(p)
	return false
}

func (c *call) refuse(p *problem.Problem) {
	c.heading()
	refuse(c.x, p, c.request)
}

// background answers with where a Response stands that its caller comes back for.
func (c *call) background() {
	if !c.submit() {
		return
	}
	standing, p := c.server.Look(c.r.Context(), &c.x.Caller, c.messageID) // it may have been there before
	if p != nil {
		c.refuse(p)
		return
	}
	c.writeResponse(standing, c.request.Echo)
}

// answer answers with the whole answer, when it is there.
func (c *call) answer() {
	if !c.submit() {
		return
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), c.patience)
	defer cancel()
	standing, err := c.server.Wait(ctx, c.messageID, c.patience)
	if err != nil {
		c.fail(openaiapi.Refusal(problem.New(problem.Unavailable, "The results cannot be read now."), c.request))
		return
	}
	if !standing.Terminal() {
		c.unfinished(ctx, c.fail)
		return
	}
	res, failed := c.result(standing)
	if failed != nil {
		c.fail(failed)
		return
	}
	body, err := c.request.Answer(res)
	if err != nil {
		c.fail(openaiapi.Unusable())
		return
	}
	c.write(body)
}

// unfinished says why there is no answer of a request that goes on. Who is gone is told nothing.
func (c *call) unfinished(ctx context.Context, say func(*openaiapi.Error)) {
	switch {
	case c.r.Context().Err() != nil:
		c.disconnected()
	case ctx.Err() != nil:
		say(openaiapi.Overdue(c.messageID))
	default:
		say(openaiapi.Draining())
	}
}

// cancelTimeout bounds the canceling of a request whose caller is gone.
const cancelTimeout = 5 * time.Second

// disconnected cancels the request of a caller that has hung up, if it asked for that and it has not begun.
func (c *call) disconnected() {
	if !strings.EqualFold(c.r.Header.Get("Baton-Cancel-On-Disconnect"), "true") {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), cancelTimeout)
	defer cancel()
	_, _ = c.server.Cancel(ctx, &c.x.Caller, c.messageID) // what cannot be canceled runs, as without the wish
}

// result returns the result of a request that has ended, or why it came to nothing.
func (c *call) result(standing results.Standing) (events.Result, *openaiapi.Error) {
	res, err := resultOf(c.messageID, standing)
	if err != nil {
		return res, openaiapi.Unusable()
	}
	return res, openaiapi.Failure(res)
}

// resultOf decodes the result of a request that has ended.
func resultOf(messageID string, standing results.Standing) (res events.Result, err error) {
	err = json.Unmarshal(ingest.Report(messageID, standing), &res)
	return res, err
}

func (c *call) fail(e *openaiapi.Error) {
	c.heading()
	fail(c.x, e)
}

// write answers with a body.
func (c *call) write(body []byte) {
	c.heading()
	heading(c.x)
	c.x.WriteJSON(http.StatusOK, body)
}

// heading sets how long the call took.
func (c *call) heading() {
	c.x.Header().Set("OpenAI-Processing-MS", strconv.FormatInt(c.now().Sub(c.began).Milliseconds(), 10))
}
