package openai

import (
	"mime"
	"net/http"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/openaiapi"
	"baton.dev/baton/internal/problem"
)

// readBody reads the body of a request that says it is JSON, or answers why it cannot.
func (f *front) readBody(x *ingest.Exchange, r *http.Request, e openaiapi.Endpoint) (ingest.Body, bool) {
	var body ingest.Body
	p := wantJSON(r)
	if p == nil {
		body, p = f.server.ReadBody(x, r)
	}
	if p != nil {
		refuse(x, p, &openaiapi.Request{Endpoint: e})
	}
	return body, p == nil
}

// wantJSON returns a problem unless the request says that its body is JSON as it is.
func wantJSON(r *http.Request) *problem.Problem {
	typ, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, named := parameters["charset"]
	if err != nil || typ != "application/json" || named && charset != "utf-8" && charset != "UTF-8" {
		return problem.New(problem.UnsupportedMediaType, "The content type must be application/json.")
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return problem.New(problem.UnsupportedMediaType, "The body must be sent as it is, without a content encoding.").
			With("Accept-Encoding", "identity")
	}
	return nil
}
