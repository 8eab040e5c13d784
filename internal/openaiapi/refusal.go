package openaiapi

import (
	"fmt"
	"net/http"
	"strings"

	"baton.dev/baton/internal/problem"
)

// said is how OpenAI says a kind of problem.
type said struct {
	status    int
	typ, code string
	final     bool
}

// refusals is the one table of what a problem at the door is at OpenAI. Statuses are what the official clients go by: they try
// again on 408, 409, 429 and 5xx.
var refusals = map[problem.Word]said{
	problem.Malformed:            {http.StatusBadRequest, typeInvalid, "", false},
	problem.Unauthenticated:      {http.StatusUnauthorized, typeInvalid, "invalid_api_key", false},
	problem.Forbidden:            {http.StatusForbidden, typeInvalid, "permission_denied", false},
	problem.NotFound:             {http.StatusNotFound, typeInvalid, "", false},
	problem.MethodNotAllowed:     {http.StatusMethodNotAllowed, typeInvalid, "method_not_supported", false},
	problem.Timeout:              {http.StatusRequestTimeout, typeInvalid, "timeout", false},
	problem.TooLarge:             {http.StatusRequestEntityTooLarge, typeInvalid, "request_too_large", false},
	problem.UnsupportedMediaType: {http.StatusUnsupportedMediaType, typeInvalid, "unsupported_content_type", false},
	problem.Invalid:              {http.StatusBadRequest, typeInvalid, "invalid_value", false},
	problem.IDReused:             {http.StatusUnprocessableEntity, typeInvalid, "idempotency_key_reused", false},
	problem.RateLimited:          {http.StatusTooManyRequests, typeRequests, "rate_limit_exceeded", false},
	problem.TooManyStreams:       {http.StatusTooManyRequests, typeRequests, "rate_limit_exceeded", false},
	problem.QueueFull:            {http.StatusTooManyRequests, typeRequests, "rate_limit_exceeded", false},
	problem.BudgetSpent:          {http.StatusTooManyRequests, typeQuota, "insufficient_quota", true},
	problem.Internal:             {http.StatusInternalServerError, typeServer, "", false},
	problem.Unavailable:          {http.StatusServiceUnavailable, typeServer, "unavailable", false},
	problem.WouldMissDeadline:    {http.StatusServiceUnavailable, typeServer, "would_miss_deadline", false},
}

// maxFaults is how many bad fields an error tells of: one is what OpenAI tells.
const maxFaults = 5

// Refusal returns a problem at the door as OpenAI says it. r is the request as far as it was read; nil: it was not.
func Refusal(p *problem.Problem, r *Request) *Error {
	word := problem.Word(strings.TrimPrefix(p.Type, problem.TypePrefix))
	s, ok := refusals[word]
	if !ok {
		s = said{p.Status, typeServer, "", false}
		if p.Status < http.StatusInternalServerError {
			s.typ = typeInvalid
		}
	}
	e := &Error{Status: s.status, Type: s.typ, Code: s.code, Final: s.final, Message: p.Detail}
	if e.Message == "" {
		e.Message = p.Title + "."
	}
	if len(p.Errors) == 0 {
		return e
	}
	if r == nil {
		r = &Request{}
	}
	first := p.Errors[0]
	if first.Pointer == "/model_id" && (word == problem.Forbidden || strings.HasPrefix(first.Detail, "names no model")) {
		return unknownModel(r.Model)
	}
	e.Param = r.Param(first.Pointer)
	if word == problem.Invalid {
		e.Code = faultCode(e.Param, first.Detail)
	}
	if strings.Contains(p.Detail, "see errors") {
		e.Message = r.sentences(p.Errors)
	}
	return e
}

// sentences says what is wrong with each field.
func (r *Request) sentences(faults []problem.FieldError) string {
	var words []string
	for i, f := range faults {
		if i == maxFaults {
			words = append(words, fmt.Sprintf("and %d more fields are not valid", len(faults)-i))
			break
		}
		words = append(words, "'"+r.Param(f.Pointer)+"' "+f.Detail)
	}
	return "Invalid request: " + strings.Join(words, "; ") + "."
}

// faultCode returns OpenAI's code of what is wrong with a field.
func faultCode(param, detail string) string {
	number := "integer"
	if param == "temperature" || param == "top_p" {
		number = "decimal"
	}
	switch {
	case strings.HasPrefix(detail, "is required"):
		return "missing_required_parameter"
	case strings.HasPrefix(detail, "must be at most"):
		return number + "_above_max_value"
	case strings.HasPrefix(detail, "must be at least"), strings.HasPrefix(detail, "must be more than"):
		return number + "_below_min_value"
	case param == "messages" && detail == "must not be empty":
		return "empty_array"
	case strings.Contains(detail, ", not "), detail == "must be a whole number":
		return "invalid_type"
	default:
		return "invalid_value"
	}
}
