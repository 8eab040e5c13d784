package callback

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/egress"
	"baton.dev/baton/internal/webhook"
)

const (
	// defaultTimeout bounds a delivery where the catalog does not; the catalog's own default is the same.
	defaultTimeout = 15 * time.Second
	// maxDrain is how much of an answer is read, and thrown away, so that its connection can be used again.
	maxDrain = 16 << 10
)

// answer is what is kept of a receiver's answer: nothing of its body.
type answer struct {
	host       string
	status     int
	retryAfter string
}

// postError is a delivery that got no answer. Its text names the host and says what happened in words of this package: an
// error of net/http holds the whole URL, and may hold what the receiver sent.
type postError struct {
	host string
	what string
	err  error
}

func (e *postError) Error() string { return "callback: deliver to " + e.host + ": " + e.what }
func (e *postError) Unwrap() error { return e.err }

// errURL is for a callback URL that cannot be parsed. It holds nothing of it.
var errURL = errors.New("callback: the callback url cannot be parsed")

// refusedForGood reports whether the URL itself says that it may not be reached.
func refusedForGood(err error) bool {
	if errors.Is(err, errURL) {
		return true
	}
	blocked, ok := errors.AsType[*egress.BlockedError](err)
	return ok && !blocked.Resolved.IsValid()
}

// post makes one delivery and returns what the receiver answered.
func (c *Callback) post(ctx context.Context, signer *webhook.Signer, in events.Event, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.CallbackURL, bytes.NewReader(body))
	if err != nil {
		return answer{}, errURL
	}
	h := req.Header
	h["Content-Type"] = []string{events.JSON}
	h["User-Agent"] = []string{c.agent}
	// Not sent: it tells net/http that the request may be made again on a new connection when the receiver closed an idle
	// one meanwhile. It may: the receiver knows a repeat by its webhook-id.
	h["Idempotency-Key"] = nil
	setAttributes(h, in)
	if err := signer.Sign(h, in.ID, c.now(), body); err != nil {
		return answer{}, fmt.Errorf("callback: %w", err)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return answer{}, &postError{host: req.URL.Host, what: describe(err), err: err}
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
	_ = resp.Body.Close()
	return answer{host: req.URL.Host, status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After")}, nil
}

// describe says why there was no answer, in words of a closed set but for a blocked address.
func describe(err error) string {
	if blocked, ok := errors.AsType[*egress.BlockedError](err); ok {
		return "blocked: " + string(blocked.Reason)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "no such host"
	} else if ok {
		return "the host's name could not be resolved"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate could not be verified"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return "the answer is not TLS"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, errSlow) {
		return "timeout"
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "no route"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed without an answer"
	default:
		return "no valid HTTP answer"
	}
}
