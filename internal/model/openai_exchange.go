package model

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"baton.dev/baton/events"
)

// errorBodyLimit bounds what is read of a refusal: its code and message are at the start.
const errorBodyLimit = 64 << 10

// exchange is the one request of a call, and its response.
type exchange struct {
	*OpenAI
	Call

	op           operation
	ctx, callCtx context.Context //nolint:containedctx // the caller's, and that with the call's own limit; of one call
	cancel       func()          // of callCtx
	late         string          // the code of a call that reached its limit
	payload      *payload
	shown        []string // the secrets that authenticate the request
	secrets      []string // all that no message may repeat
}

// send makes the request and returns the response to it.
func (x *exchange) send() (*http.Response, error) {
	var err error
	if x.payload, err = newPayload(x.callCtx, x.Call, x.op); err != nil {
		return nil, x.unprepared(err)
	}
	settings, err := x.credentials.TLS(x.Target)
	if err != nil {
		return nil, x.unauthorized(err)
	}
	req, err := x.request()
	if err != nil {
		return nil, err
	}
	resp, err := x.connections.Of(x.Target, settings).Do(req)
	if err != nil {
		return nil, x.failure(err)
	}
	return resp, nil
}

// request makes the HTTP request.
func (x *exchange) request() (*http.Request, error) {
	u, err := url.Parse(x.Target.URL)
	if err != nil {
		// The parser's words quote the URL.
		return nil, NewError(events.CodeUnreachable, errors.New("its url cannot be parsed"))
	}
	u = u.JoinPath(x.op.path...) // keeps the query: Azure wants its api-version there
	req, err := http.NewRequestWithContext(x.callCtx, http.MethodPost, u.String(), x.payload.open(x.callCtx))
	if err != nil {
		return nil, NewError(events.CodeUnreachable, errors.New("its url cannot be used"))
	}
	req.ContentLength = x.payload.size()
	// With it the transport takes another connection when the server closed an idle one before anything was written. It does
	// not send anything twice: that it only does to requests which it takes for idempotent.
	req.GetBody = func() (io.ReadCloser, error) { return x.payload.open(x.callCtx), nil }
	x.setHeaders(req)
	if password, ok := u.User.Password(); ok {
		x.secrets = append(x.secrets, password)
	}
	x.secrets = append(x.secrets, u.RawQuery)
	x.shown, err = x.credentials.Authorize(x.callCtx, x.Target, req, func() (string, error) { return x.payload.sum(x.callCtx) })
	if err != nil {
		return nil, x.unauthorized(err)
	}
	x.secrets = append(x.secrets, x.shown...)
	return req, nil
}

func (x *exchange) setHeaders(req *http.Request) {
	req.Header.Set("User-Agent", "baton")
	for name, value := range x.Target.Headers {
		if !idempotency(name) {
			req.Header.Set(name, value)
		}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if inPieces(x.Call, x.op) {
		req.Header.Set("Accept-Encoding", "identity") // what compresses holds back
	}
	if headerSafe(x.ID) {
		// Not by Set, and not in the canonical case: net/http takes a request with that header for one that it may repeat
		// by itself when a reused connection breaks, and each repetition may cost money. Servers do not mind the case.
		req.Header["idempotency-key"] = []string{x.ID}
	}
	if headerSafe(x.TraceParent) {
		req.Header.Set("Traceparent", x.TraceParent)
		if headerSafe(x.TraceState) {
			req.Header.Set("Tracestate", x.TraceState)
		}
	}
}

// idempotency reports whether the header, by its canonical name, makes net/http repeat requests.
func idempotency(name string) bool {
	name = http.CanonicalHeaderKey(name)
	return name == "Idempotency-Key" || name == "X-Idempotency-Key"
}

// receive returns what the response comes to.
func (x *exchange) receive(resp *http.Response) (Answer, error) {
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		// A refusal counts by its status; a body that breaks off only costs the message.
		body, _ := read(resp, errorBodyLimit)
		if err := x.payload.failed(); err != nil {
			return Answer{}, x.unprepared(err) // it refuses what was not sent whole
		}
		if resp.StatusCode == http.StatusUnauthorized {
			x.credentials.Refused(x.Target, x.shown)
		}
		return Answer{}, refusal(resp, body, x.secrets, x.now())
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/event-stream" && x.op.streamed {
		return x.stream(resp)
	}
	body, err := read(resp, x.maxAnswer+1)
	if err != nil {
		return Answer{}, x.failure(err)
	}
	if int64(len(body)) > x.maxAnswer {
		return Answer{}, withStatus(TooLarge(x.maxAnswer), resp)
	}
	answer, err := x.whole(body)
	if e, ok := errors.AsType[*Error](err); ok {
		return Answer{}, withStatus(e, resp)
	}
	return answer, err
}

// whole returns the answer that is the body, which is one piece where it was asked for in pieces.
func (x *exchange) whole(body []byte) (Answer, error) {
	c, err := decodeCompletion(body)
	if err != nil {
		return Answer{}, err
	}
	answer, err := c.answer(x.Request)
	if err == nil && x.Delta != nil && x.op.streamed {
		x.Delta(Delta{Text: answer.Output, Choices: chunkOf(c.Choices)})
	}
	return answer, err
}

// failure says what a call came to whose request or response broke off.
func (x *exchange) failure(err error) error {
	if mine := x.payload.failed(); mine != nil {
		return x.unprepared(mine)
	}
	return failure(x.ctx, x.callCtx, x.late, err)
}

// unprepared says what a call came to of which the request could not be made or sent whole. That this side cannot read what
// is to be sent says nothing about the target, and so is no [*Error] unless it is one already.
func (x *exchange) unprepared(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if x.callCtx.Err() != nil {
		return failure(x.ctx, x.callCtx, x.late, err)
	}
	return err
}

// unauthorized says what a call came to for which there is no credential.
func (x *exchange) unauthorized(err error) error {
	if x.payload.failed() != nil || x.callCtx.Err() != nil {
		return x.failure(err)
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return NewError(events.CodeUnauthorized, err)
}

// read reads a response's body, at most limit bytes of it. What is left over is not drained: the connection is closed.
func read(resp *http.Response, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	if n := resp.ContentLength; n > 0 {
		// ReadFrom wants MinRead bytes free to see the end without growing.
		buf.Grow(int(min(n, limit)) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(io.LimitReader(resp.Body, limit))
	return buf.Bytes(), err
}

func withStatus(e *Error, resp *http.Response) *Error {
	e.Status = resp.StatusCode
	return e
}
