package ingest

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"baton.dev/baton/internal/problem"
)

// Namespaces (RFC 9562, section 5.5) of the request ids that are made from what a caller names its request by. They must never
// change: they are what makes a repeated key the same request.
var (
	idempotencyKeys = uuid.MustParse("0c6d1d52-6f0c-5b0e-9f55-0d6f0d7c7a01")
	cloudEvents     = uuid.MustParse("0c6d1d52-6f0c-5b0e-9f55-0d6f0d7c7a02")
)

// maxIdempotencyKey is what an Idempotency-Key may have at most, in bytes; the draft asks servers to name a bound.
const maxIdempotencyKey = 255

// idempotencyID returns the request id that the Idempotency-Key header stands for, or "" where there is none.
//
// It is for a body without a request_id; a body's own request_id is the request's name, and the header is then not looked
// at: client libraries add one of their own making to every POST.
//
// The draft (draft-ietf-httpapi-idempotency-key-header) has the key as a quoted string; most clients send it bare. Both are
// the same key.
func idempotencyID(r *http.Request) (string, *problem.Problem) {
	given := r.Header["Idempotency-Key"]
	if len(given) == 0 {
		return "", nil
	}
	key := strings.TrimSpace(given[0])
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(key[1 : n-1])
	}
	if len(given) > 1 || key == "" || len(key) > maxIdempotencyKey || strings.ContainsFunc(key, notPrintable) {
		return "", problem.New(problem.Malformed,
			"The Idempotency-Key header must be one key of 1 to 255 printable ASCII characters.")
	}
	return uuid.NewSHA1(idempotencyKeys, []byte(key)).String(), nil
}

func notPrintable(c rune) bool { return c < ' ' || c > '~' }

// eventRequestID returns the request id that a CloudEvent stands for: its source and id together are its identity
// (CloudEvents 1.0, section 3.1.1 "id").
func eventRequestID(source, id string) string {
	return uuid.NewSHA1(cloudEvents, []byte(source+"\x00"+id)).String()
}

// withRequestID returns the body, a valid request without a request_id, with the id as its first member. Every other byte
// stays as it is.
func withRequestID(body []byte, id string) []byte {
	open := bytes.IndexByte(body, '{') + 1 // before it is whitespace alone, and after it at least one member
	out := make([]byte, 0, len(body)+len(id)+len(`"request_id":"",`))
	out = append(out, body[:open]...)
	out = append(out, `"request_id":"`...)
	out = append(out, id...)
	out = append(out, `",`...)
	return append(out, body[open:]...)
}
