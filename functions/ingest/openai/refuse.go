package openai

import (
	"maps"
	"net/http"
	"strings"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/openaiapi"
	"baton.dev/baton/internal/problem"
)

// Refuse answers with a problem as OpenAI says it. It is for routes whose callers are OpenAI's clients.
func Refuse(x *ingest.Exchange, p *problem.Problem) { refuse(x, p, nil) }

// refuse answers with a problem of a request as far as that was read; nil: it was not.
func refuse(x *ingest.Exchange, p *problem.Problem, r *openaiapi.Request) {
	maps.Copy(x.Header(), p.Header)
	fail(x, openaiapi.Refusal(p, r))
}

// retryAfter is what is asked for, in seconds, of a caller that another process is to answer.
const retryAfter = "1"

// fail answers with an error.
func fail(x *ingest.Exchange, e *openaiapi.Error) {
	if e.Final {
		x.Header().Set("X-Should-Retry", "false")
	}
	if e.Status == http.StatusServiceUnavailable && !e.Final && x.Header().Get("Retry-After") == "" {
		x.Header().Set("Retry-After", retryAfter)
	}
	heading(x)
	x.WriteJSON(e.Status, e.JSON())
}

// heading sets the headers that OpenAI's answers have.
func heading(x *ingest.Exchange) {
	h := x.Header()
	if x.MessageID != "" {
		h.Set("X-Request-Id", x.MessageID)
	}
	// RateLimit-Policy: "default";q=1000;w=2, and RateLimit: "default";r=50;t=1
	if limit := parameter(h.Get("RateLimit-Policy"), "q"); limit != "" {
		h.Set("X-Ratelimit-Limit-Requests", limit)
	}
	if remaining := parameter(h.Get("RateLimit"), "r"); remaining != "" {
		h.Set("X-Ratelimit-Remaining-Requests", remaining)
		h.Set("X-Ratelimit-Reset-Requests", parameter(h.Get("RateLimit"), "t")+"s")
	}
}

// parameter returns the value of a parameter of a structured field's item.
func parameter(field, name string) string {
	for p := range strings.SplitSeq(field, ";") {
		if key, value, ok := strings.Cut(p, "="); ok && key == name {
			return value
		}
	}
	return ""
}
