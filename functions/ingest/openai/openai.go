// Package openai is the front of the chain that speaks OpenAI's HTTP interface, so that an unmodified client of OpenAI's works
// with the chain: the same calls and answers, and errors of the same shape.
//
// A call is a request like any other. It is stored before anything is done for it, and goes on whatever becomes of the
// connection; a caller that was cut off finds it again by the Idempotency-Key it sent, if the body is the same. A caller who
// hangs up cancels only if it asked for that, with the header Baton-Cancel-On-Disconnect: true, and only what has not begun.
//
// A call that is not of the background waits as long as its client says that it does (the header X-Stainless-Timeout, which the
// official clients send), and else ten minutes; the configuration's default of a deadline bounds both. What cannot be
// answered by then fails, and is not called again. Nothing is sent while a call waits, so what stands between must leave an
// idle connection alone for as long; streams are kept awake by comments.
package openai

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/openaiapi"
	"baton.dev/baton/internal/problem"
)

// front answers OpenAI's paths by way of the server.
type front struct {
	server *ingest.Server
	now    func() time.Time
	newID  func() string
	idle   time.Duration // how long a stream is silent at most
}

// Mount adds OpenAI's paths to the server, beside GET /v1/models, which has OpenAI's shape already.
func Mount(s *ingest.Server) { newFront(s).mount() }

func newFront(s *ingest.Server) *front {
	return &front{server: s, now: time.Now, newID: uuid.NewString, idle: keepAlive}
}

func (f *front) mount() {
	post := func(e openaiapi.Endpoint) ingest.Route {
		return ingest.Route{
			Pattern: string(e), Submits: true,
			Methods: map[string]ingest.Handler{
				http.MethodPost: func(x *ingest.Exchange, r *http.Request) *problem.Problem { return f.post(x, r, e) },
			},
		}
	}
	one := func(pattern, method string, h ingest.Handler) ingest.Route {
		return ingest.Route{Pattern: pattern, Methods: map[string]ingest.Handler{method: h}}
	}
	// OpenAI has further paths below /v1/responses, such as /v1/responses/compact.
	named := func(r *http.Request) bool {
		_, ok := openaiapi.Responses.MessageID(r.PathValue("id"))
		return ok
	}
	response := one("/v1/responses/{id}", http.MethodGet, f.getResponse)
	response.Methods[http.MethodDelete], response.Has = f.deleteResponse, named
	routes := []ingest.Route{
		post(openaiapi.ChatCompletions), post(openaiapi.Completions), post(openaiapi.Embeddings), post(openaiapi.Responses),
		response,
		one("/v1/responses/{id}/cancel", http.MethodPost, f.cancelResponse),
		one("/v1/models/{model}", http.MethodGet, f.getModel),
		one("/v1/models/{owner}/{model}", http.MethodGet, f.getModel), // some models have a slash in their name
	}
	for i := range routes {
		routes[i].Refuse = Refuse
	}
	f.server.Mount(routes...)
}
