package model

import (
	"context"
	"errors"
	"fmt"
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

// OpenAIConfig is what an [OpenAI] client needs.
type OpenAIConfig struct {
	// Credentials are what calls show, and what servers are verified by; nil: the target's key as a bearer token, by Key.
	Credentials Credentials
	// Key resolves a target's credential where there are no Credentials, on every call, so that a rotated one is used at once.
	// It must be quick, as [catalog.Watch.Secret] is, and safe for concurrent calls. Its errors go to logs and must not hold
	// the credential. It is not called for a target without one. Nil: no credential resolves.
	Key func(catalog.Secret) (string, error)
	// MaxAnswer bounds an answer in bytes, after decompression; 0: 4 MiB. One that is larger is [events.CodeOutputTooLarge].
	// Of one that comes whole it bounds the body, and of one in pieces what they come to; what is around them may be 64 times
	// as much, as a piece of a few letters is some hundred bytes on the wire.
	MaxAnswer int64
	// Proxy is that of [http.Transport]; nil: none.
	Proxy func(*http.Request) (*url.URL, error)
}

// OpenAI calls any server that speaks OpenAI's protocol over HTTP: chat completions, completions and embeddings, whole or in
// pieces. One client serves any number of targets. It follows no redirect, since that would hand the prompt and the credential
// to a host that nobody configured.
type OpenAI struct {
	connections *Connections
	credentials Credentials
	maxAnswer   int64
	now         func() time.Time
}

// NewOpenAI returns a client. Close it when it is not needed any more.
func NewOpenAI(c OpenAIConfig) *OpenAI {
	if c.Credentials == nil {
		c.Credentials = bearer{c.Key}
	}
	if c.MaxAnswer == 0 {
		c.MaxAnswer = 4 << 20
	}
	return &OpenAI{
		connections: NewConnections(c.Proxy),
		credentials: c.Credentials,
		maxAnswer:   c.MaxAnswer,
		now:         time.Now,
	}
}

// Close closes the idle connections. It does not interrupt calls.
func (o *OpenAI) Close() { o.connections.Close() }

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
		told := *e // one of a reader of attachments may be another call's too
		told.Target, told.Sent = call.Target.Name, sent.Load()
		return Answer{}, &told
	}
	return Answer{}, fmt.Errorf("model: call %s: %w", call.Target.Name, err)
}

func (o *OpenAI) call(ctx context.Context, call Call) (Answer, error) {
	op, ok := operationOf(call.Request)
	if !ok {
		return Answer{}, NewError(events.CodeUnsupported, fmt.Errorf("no operation %q", call.Request.Operation))
	}
	limit, late := call.Limit(o.now())
	callCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()

	x := &exchange{OpenAI: o, Call: call, op: op, ctx: ctx, callCtx: callCtx, cancel: cancel, late: late}
	resp, err := x.send()
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	return x.receive(resp)
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
