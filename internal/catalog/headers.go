package catalog

import (
	"regexp"
	"slices"
	"strings"
)

// Bounds of a target's own headers: all together they stay below what servers take, 8 KiB mostly, with room for the others.
const (
	maxHeaders     = 16
	maxHeaderName  = 64
	maxHeaderValue = 256
)

// headerName is what HTTP, in lower case, and gRPC take as a name (RFC 9110, section 5.1; gRPC over HTTP/2, Custom-Metadata).
var headerName = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)

// clientHeaders are those that the client of a target, or the transport under it, sets by itself.
var clientHeaders = []string{
	"accept", "accept-encoding", "connection", "expect", "host", "idempotency-key", "keep-alive", "te", "traceparent", "tracestate",
	"trailer", "transfer-encoding", "upgrade", "user-agent",
}

// clientSets reports whether a call has the header already, or the transport has it for itself.
func clientSets(name string) bool {
	return slices.Contains(clientHeaders, name) || strings.HasPrefix(name, "content-") || strings.HasPrefix(name, "proxy-") ||
		strings.HasPrefix(name, "grpc-") || strings.HasSuffix(name, "-bin") // binary metadata of gRPC
}

// carriesCredential reports whether the header is one that servers take a credential from, by its name.
func carriesCredential(name string) bool {
	for _, word := range []string{"authorization", "api-key", "apikey", "cookie", "secret", "password", "credential"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return strings.HasSuffix(name, "-token") || strings.HasPrefix(name, "x-auth") || strings.HasPrefix(name, "x-amz-")
}

// headers reads the headers that each call of a target is sent with.
func (r *reader) headers(v value) map[string]string {
	list, ok := r.entries(v, "a mapping of headers to their values, such as {x-route: blue}", maxShownKey)
	switch {
	case ok && len(list) == 0:
		r.failf(v, "is empty: leave the key out for no headers")
	case len(list) > maxHeaders:
		r.failf(v, "are over %d: send fewer", maxHeaders)
	}
	headers := make(map[string]string, len(list))
	for _, e := range list {
		switch {
		case !headerName.MatchString(e.key):
			r.failf(e.at, "cannot name a header here: expected 1 to %d of a-z, 0-9, -, _ and .", maxHeaderName)
		case clientSets(e.key):
			r.failf(e.at, "is a header that calls have already, or none that can be chosen: remove it")
		case carriesCredential(e.key):
			r.failf(e.at, "is a header for a credential, and values stand here in the clear: name it in auth.header, and its value in key")
		}
		headers[e.key] = r.headerValue(e.value)
	}
	return headers
}

func (r *reader) headerValue(v value) string {
	const want = "the value of a header"
	s, ok := r.text(v, want)
	if ok && (len(s) > maxHeaderValue || !sendable(s)) {
		r.failf(v, "expected %s: one line of visible ASCII, %d characters at most, without a space at its ends", want, maxHeaderValue)
		return ""
	}
	return s
}
