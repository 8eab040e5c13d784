package oip

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	"baton.dev/baton/internal/model"
)

// HTTPConfig is what an [HTTP] client needs.
type HTTPConfig struct {
	Credentials model.Credentials                     // nil: none, for targets without any
	MaxAnswer   int64                                 // as in [GRPCConfig]
	Proxy       func(*http.Request) (*url.URL, error) // that of [http.Transport]; nil: none
}

// HTTP calls models over HTTP. It implements [model.Client].
//
// An answer is made by infer, which says all of it in one delta. A decoupled model is called by generate_stream, of Triton's
// generate extension, since infer has no words for more than one response.
type HTTP struct {
	connections *model.Connections
	credentials model.Credentials
	maxAnswer   int64
	now         func() time.Time
}

// NewHTTP returns a client. Close it when it is not needed any more.
func NewHTTP(c HTTPConfig) *HTTP {
	if c.Credentials == nil {
		c.Credentials = model.KeyCredentials(nil)
	}
	if c.MaxAnswer == 0 {
		c.MaxAnswer = defaultMaxAnswer
	}
	return &HTTP{model.NewConnections(c.Proxy), c.Credentials, c.MaxAnswer, time.Now}
}

// Close closes the idle connections. It does not interrupt calls.
func (h *HTTP) Close() { h.connections.Close() }

// Call implements [model.Client].
func (h *HTTP) Call(ctx context.Context, call model.Call) (model.Answer, error) {
	// The hook is called after the headers and before any of the body: without it nothing that could cost was sent.
	var sent atomic.Bool
	hooks := &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}
	answer, err := h.call(httptrace.WithClientTrace(ctx, hooks), call)
	if err == nil {
		return answer, nil
	}
	if e, ok := errors.AsType[*model.Error](err); ok {
		told := *e // one of the credentials' may be another call's too
		told.Target, told.Sent = call.Target.Name, sent.Load()
		return model.Answer{}, &told
	}
	return model.Answer{}, fmt.Errorf("model: call %s: %w", call.Target.Name, err)
}

func (h *HTTP) call(ctx context.Context, call model.Call) (model.Answer, error) {
	in, err := newInference(&call)
	if err != nil {
		return model.Answer{}, err
	}
	limit, late := call.Limit(h.now())
	callCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()

	path, body := "infer", in.infer
	if in.decoupled {
		path, body = "generate_stream", in.generate
	}
	resp, secrets, err := h.do(callCtx, &call, http.MethodPost, path, body())
	if err != nil {
		return model.Answer{}, broken(ctx, callCtx, late, err)
	}
	defer func() { _ = resp.Body.Close() }()

	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		// A refusal counts by its status; a body that breaks off only costs the message.
		body, _ := io.ReadAll(io.LimitReader(resp.Body, errorBodyLimit))
		if r, ok := h.credentials.(refuser); ok && resp.StatusCode == http.StatusUnauthorized {
			r.Refused(call.Target, secrets)
		}
		return model.Answer{}, model.Refusal(resp, body, secrets, h.now())
	}
	answer := newAssembly(&call, h.maxAnswer)
	if in.decoupled {
		err = h.generated(resp, answer, in.outputs[0])
	} else {
		err = h.inferred(resp, answer, in.outputs[0])
	}
	if err != nil {
		return model.Answer{}, broken(ctx, callCtx, late, err)
	}
	whole, err := answer.end()
	if e, ok := errors.AsType[*model.Error](err); ok {
		e.Status = resp.StatusCode
	}
	return whole, err
}

// refuser are credentials that want to hear of one that a server did not accept. See [Credentials].
type refuser interface {
	Refused(t *catalog.Target, secrets []string)
}

// errorBodyLimit bounds what is read of a refusal: its message is at the start.
const errorBodyLimit = 64 << 10

// broken says what a call came to, where the error is not yet one that says it.
func broken(ctx, call context.Context, late string, err error) error {
	if e, ok := errors.AsType[*model.Error](err); ok && call.Err() == nil {
		return e
	}
	return model.Failure(ctx, call, late, err)
}

// do makes the request of a model's path. The secrets are what it holds that no message may repeat.
func (h *HTTP) do(ctx context.Context, call *model.Call, method, path string, body []byte) (*http.Response, []string, error) {
	t := call.Target
	settings, err := h.credentials.TLS(t)
	if err != nil {
		return nil, nil, unauthorized(err)
	}
	u, err := url.Parse(t.URL)
	if err != nil {
		// The parser's words quote the URL.
		return nil, nil, model.NewError(events.CodeUnreachable, errors.New("its url cannot be parsed"))
	}
	u = u.JoinPath(modelPath(t, path)...) // keeps the query
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, model.NewError(events.CodeUnreachable, errors.New("its url cannot be used"))
	}
	req.Header.Set("User-Agent", "baton")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("Accept-Encoding", "identity") // what compresses holds back
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range common(call) {
		// Not by Set, which would make the name of the idempotency key canonical: net/http repeats requests that have it.
		req.Header[headerName(name)] = []string{value}
	}
	secrets := []string{u.RawQuery}
	if password, ok := u.User.Password(); ok {
		secrets = append(secrets, password)
	}
	more, err := h.credentials.Authorize(ctx, t, req, func() (string, error) {
		sum := sha256.Sum256(body)
		return hex.EncodeToString(sum[:]), nil
	})
	if err != nil {
		return nil, nil, unauthorized(err)
	}
	resp, err := h.connections.Of(t, settings).Do(req)
	return resp, append(secrets, more...), err
}

// headerName returns the name of a header as it is to be in the map of a request.
func headerName(name string) string {
	switch canonical := http.CanonicalHeaderKey(name); canonical {
	case "Idempotency-Key", "X-Idempotency-Key":
		return name
	default:
		return canonical
	}
}

// modelPath returns what comes after the base of a target's URL.
func modelPath(t *catalog.Target, path string) []string {
	elements := []string{"v2", "models", url.PathEscape(t.Model)}
	if t.OIP.Version != "" {
		elements = append(elements, "versions", url.PathEscape(t.OIP.Version))
	}
	return append(elements, path)
}

func unauthorized(err error) error {
	if e, ok := errors.AsType[*model.Error](err); ok {
		return e
	}
	return model.NewError(events.CodeUnauthorized, err)
}

// inferred takes the response of infer.
func (h *HTTP) inferred(resp *http.Response, a *assembly, name string) error {
	limit := h.maxAnswer + around
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return err
	}
	if int64(len(body)) > limit {
		return withStatus(a.tooLarge(), resp)
	}
	out, err := decodeInfer(validUTF8(body), name)
	if err != nil {
		return withStatus(a.fail(events.CodeUnusableOutput, "the body is no response of infer"), resp)
	}
	return withStatus(a.add(out), resp)
}

// around is how much more than the output a response may be: names, shapes, and other tensors.
const around = 64 << 10

func withStatus(err error, resp *http.Response) error {
	if e, ok := errors.AsType[*model.Error](err); ok {
		e.Status = resp.StatusCode
	}
	return err
}

// validUTF8 returns a body as JSON has to be. A token that was cut in the middle of a character is no reason to lose a paid
// answer.
func validUTF8(body []byte) []byte { return bytes.ToValidUTF8(body, []byte("\uFFFD")) }
