package openai

import (
	"net/http"

	"baton.dev/baton/internal/openaiapi"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

// Dialect is how OpenAI says requests and answers, for doors that take them in otherwise than one to a call, as a batch does.
type Dialect struct{}

// Request returns the unified request of the body of a call of the endpoint, such as /v1/embeddings, or the status and body by
// which it is refused. A stream is refused: there is nobody to hear it.
func (Dialect) Request(endpoint string, body []byte) (request []byte, status int, refusal []byte) {
	r, err := openaiapi.Read(openaiapi.Endpoint(endpoint), body)
	if err == nil && (r.Stream || r.Background) {
		err = openaiapi.NotHere("stream")
		if r.Background {
			err = openaiapi.NotHere("background")
		}
	}
	if err != nil {
		return nil, err.Status, err.JSON()
	}
	return r.Unified, 0, nil
}

// Refusal returns the status and body of a problem of a call of the endpoint with the given body.
func (Dialect) Refusal(endpoint string, given []byte, p *problem.Problem) (status int, body []byte) {
	r, _ := openaiapi.Read(openaiapi.Endpoint(endpoint), given) // what cannot be read, nothing more is said of
	e := openaiapi.Refusal(p, r)
	return e.Status, e.JSON()
}

// Response returns the status and body of a request that has ended.
func (Dialect) Response(endpoint, messageID string, st results.Standing) (status int, body []byte) {
	res, err := resultOf(messageID, st)
	if err != nil {
		e := openaiapi.Unusable()
		return e.Status, e.JSON()
	}
	if e := openaiapi.Failure(res); e != nil {
		return e.Status, e.JSON()
	}
	r := openaiapi.Request{Endpoint: openaiapi.Endpoint(endpoint), Model: res.ModelID}
	if body, err = r.Answer(res); err != nil {
		e := openaiapi.Unusable()
		return e.Status, e.JSON()
	}
	return http.StatusOK, body
}
