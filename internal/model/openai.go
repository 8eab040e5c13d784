package model

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
)

// defaultTimeout is that of a target without one, as the configuration states it.
const defaultTimeout = 60 * time.Second

// errorBodyLimit bounds what is read of a refusal: its code and message are at the start.
const errorBodyLimit = 64 << 10

// OpenAIConfig is what an [OpenAI] client needs.
type OpenAIConfig struct {
	// Key resolves a target's credential, on every call, so that a rotated one is used at once. It must be quick, as
	// [catalog.Watch.Secret] is, and safe for concurrent calls. Its errors go to logs and must not hold the credential. It
	// is not called for a target without one. Nil: no credential resolves.
	Key func(catalog.Secret) (string, error)
	// MaxAnswer bounds an answer's body in bytes, after decompression; 0: 4 MiB. One that is larger is
	// [events.CodeOutputTooLarge].
	MaxAnswer int64
	// Proxy is that of [http.Transport]; nil: none.
	Proxy func(*http.Request) (*url.URL, error)
}

// OpenAI calls any server that speaks OpenAI's chat completions over HTTP. One client, with one pool of connections,
// serves any number of targets. It follows no redirect, since that would hand the prompt and the credential to a host that
// nobody configured.
type OpenAI struct {
	client    *http.Client
	key       func(catalog.Secret) (string, error)
	maxAnswer int64
	now       func() time.Time
}

// NewOpenAI returns a client. Close it when it is not needed any more.
func NewOpenAI(c OpenAIConfig) *OpenAI {
	if c.Key == nil {
		c.Key = func(catalog.Secret) (string, error) { return "", errors.New("no resolver of credentials") }
	}
	if c.MaxAnswer == 0 {
		c.MaxAnswer = 4 << 20
	}
	return &OpenAI{
		client: &http.Client{
			Transport:     newTransport(c.Proxy),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		key:       c.Key,
		maxAnswer: c.MaxAnswer,
		now:       time.Now,
	}
}

// Close closes the idle connections. It does not interrupt calls.
func (o *OpenAI) Close() { o.client.CloseIdleConnections() }

// Call implements [Client].
func (o *OpenAI) Call(ctx context.Context, call Call) (Answer, error) {
	// The hook is called after the headers and before any of the body: without it nothing that could cost was sent.
	var sent atomic.Bool
	hooks := &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}
	answer, err := o.call(httptrace.WithClientTrace(ctx, hooks), call)
	if err == nil {
		return answer, nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		e.Target, e.Sent = call.Target.Name, sent.Load()
		return Answer{}, e
	}
	return Answer{}, fmt.Errorf("model: call %s: %w", call.Target.Name, err)
}

func (o *OpenAI) call(ctx context.Context, call Call) (Answer, error) {
	limit, late := call.Target.Timeout, events.CodeTimeout
	if limit <= 0 {
		limit = defaultTimeout
	}
	if !call.Expiry.IsZero() {
		if left := call.Expiry.Sub(o.now()); left < limit {
			limit, late = left, events.CodeDeadline
		}
	}
	callCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()

	req, secrets, err := o.request(callCtx, call)
	if err != nil {
		return Answer{}, err
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return Answer{}, failure(ctx, callCtx, late, err)
	}
	defer func() { _ = resp.Body.Close() }()

	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		// A refusal counts by its status; a body that breaks off only costs the message.
		body, _ := read(resp, errorBodyLimit)
		return Answer{}, refusal(resp, body, secrets, o.now())
	}
	body, err := read(resp, o.maxAnswer+1)
	if err != nil {
		return Answer{}, failure(ctx, callCtx, late, err)
	}
	if int64(len(body)) > o.maxAnswer {
		return Answer{}, withStatus(NewError(events.CodeOutputTooLarge, nil), resp)
	}
	answer, err := decodeAnswer(body)
	if e, ok := errors.AsType[*Error](err); ok {
		return Answer{}, withStatus(e, resp)
	}
	return answer, err
}

// request makes the HTTP request of a call. The secrets are what it holds that no message may repeat.
func (o *OpenAI) request(ctx context.Context, call Call) (req *http.Request, secrets []string, err error) {
	u, err := url.Parse(call.Target.URL)
	if err != nil {
		// The parser's words quote the URL.
		return nil, nil, NewError(events.CodeUnreachable, errors.New("its url cannot be parsed"))
	}
	// JoinPath keeps the query: Azure wants its api-version there.
	u = u.JoinPath("chat", "completions")
	req, err = http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(encodeRequest(call)))
	if err != nil {
		return nil, nil, NewError(events.CodeUnreachable, errors.New("its url cannot be used"))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "baton")
	if headerSafe(call.ID) {
		// Not by Set, and not in the canonical case: net/http takes a request with that header for one that it may repeat
		// by itself when a reused connection breaks, and each repetition may cost money. Servers do not mind the case.
		req.Header["idempotency-key"] = []string{call.ID}
	}
	if headerSafe(call.TraceParent) {
		req.Header.Set("Traceparent", call.TraceParent)
		if headerSafe(call.TraceState) {
			req.Header.Set("Tracestate", call.TraceState)
		}
	}
	if password, ok := u.User.Password(); ok {
		secrets = append(secrets, password)
	}
	secrets = append(secrets, u.RawQuery)
	if call.Target.Key == "" {
		return req, secrets, nil
	}
	key, err := o.key(call.Target.Key)
	if err != nil {
		return nil, nil, NewError(events.CodeUnauthorized, err)
	}
	if !headerSafe(key) {
		return nil, nil, NewError(events.CodeUnauthorized, errors.New("its key is empty or no header value"))
	}
	req.Header.Set("Authorization", "Bearer "+key)
	return req, append(secrets, key), nil
}

// headerSafe reports whether s can be a header's value: visible ASCII and inner spaces. What comes from an event came from
// outside, and one bad byte would make the whole call fail.
func headerSafe(s string) bool {
	if s == "" || len(s) > 8<<10 || s[0] == ' ' || s[len(s)-1] == ' ' {
		return false
	}
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
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
