package ingest

import (
	"net/http"

	"baton.dev/baton/internal/problem"
)

// Heading returns a submission with what the headers of a request say: which request it is, by its Idempotency-Key, which trace
// it belongs to, and whether an answer that was kept will do. Its body is for the caller to set.
func Heading(r *http.Request) (Submission, *problem.Problem) {
	id, p := idempotencyID(r)
	if p != nil {
		return Submission{}, p
	}
	sub := Submission{FallbackID: id, Fresh: wantsFresh(r.Header)}
	sub.TraceParent, sub.TraceState = traceContext(r.Header["Traceparent"], r.Header["Tracestate"])
	return sub, nil
}
