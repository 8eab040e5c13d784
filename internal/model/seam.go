package model

import (
	"context"
	"net/http"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
)

// What follows is for clients in packages of their own, so that whatever a target speaks, the same failure has the same code
// and the same words.

// Limit returns how long the call may take from now on, and the code of the failure that it is to take longer: the target's
// timeout, or the rest of the request's time if that is less.
func (c *Call) Limit(now time.Time) (limit time.Duration, late string) {
	limit, late = c.Target.Timeout, events.CodeTimeout
	if limit <= 0 {
		limit = defaultTimeout
	}
	if !c.Expiry.IsZero() {
		if left := c.Expiry.Sub(now); left < limit {
			limit, late = left, events.CodeDeadline
		}
	}
	return limit, late
}

// KeyCredentials are those of targets that have a key and nothing else: the key, by its resolver, as a bearer token.
func KeyCredentials(key func(catalog.Secret) (string, error)) Credentials { return bearer{key} }

// Failure says what a call came to that has no complete response, from the transport's error: ctx's error, or an [*Error]. ctx
// is the caller's and call the one with the call's own limit; late is the code for a call that reached that limit.
func Failure(ctx, call context.Context, late string, err error) error {
	return failure(ctx, call, late, err)
}

// Refusal returns the error of an HTTP response that is no success. The secrets are what no message may repeat.
func Refusal(resp *http.Response, body []byte, secrets []string, now time.Time) *Error {
	return refusal(resp, body, secrets, now)
}

// RetryAt returns when the headers of a refusal say that the server will take calls again; zero where they do not.
func RetryAt(h http.Header, now time.Time) time.Time { return retryAt(h, now) }

// OutsideMessage returns a server's own message as a caller may be told it: one line, without control characters, bounded. It
// returns "" where nothing is left, or where the message quotes one of the secrets.
func OutsideMessage(s string, secrets ...string) string { return outsideMessage(s, secrets...) }

// HeaderSafe reports whether s, which may come from outside, can be the value of a header.
func HeaderSafe(s string) bool { return headerSafe(s) }
