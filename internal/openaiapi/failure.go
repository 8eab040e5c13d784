package openaiapi

import (
	"net/http"

	"baton.dev/baton/events"
)

// failures is the one table of what a request that failed is at OpenAI, by the code of its result. A code that is not here is a
// fault behind this interface, and the caller's request is none the worse for it: 502.
//
// The chain has tried what can be tried, within the deadline, so none is to be sent again at once.
var failures = map[string]said{
	events.CodeInvalidRequest:  {http.StatusBadRequest, typeInvalid, "", true},
	events.CodeContentRefused:  {http.StatusBadRequest, typeInvalid, "content_filter", true},
	events.CodeUnsupported:     {http.StatusBadRequest, typeInvalid, "unsupported_value", true},
	events.CodeOutputTooLarge:  {http.StatusBadRequest, typeInvalid, "output_too_large", true},
	events.CodeDataMissing:     {http.StatusBadRequest, typeInvalid, "data_missing", true},
	events.CodeDataAltered:     {http.StatusBadRequest, typeInvalid, "data_altered", true},
	events.CodeUnknownModel:    {http.StatusNotFound, typeInvalid, "model_not_found", true},
	events.CodeModelNotOffered: {http.StatusNotFound, typeInvalid, "model_not_found", true},
	events.CodeRateLimited:     {http.StatusTooManyRequests, typeRequests, "rate_limit_exceeded", true},
	events.CodeQuotaExhausted:  {http.StatusTooManyRequests, typeQuota, "insufficient_quota", true},
	events.CodeBudgetSpent:     {http.StatusTooManyRequests, typeQuota, "insufficient_quota", true},
	events.CodeTimeout:         {http.StatusGatewayTimeout, typeServer, "timeout", true},
	events.CodeDeadline:        {http.StatusGatewayTimeout, typeServer, "timeout", true},
	events.CodeExpired:         {http.StatusGatewayTimeout, typeServer, "timeout", true},
	events.CodeUnavailable:     {http.StatusServiceUnavailable, typeServer, "unavailable", true},
	events.CodeAttemptsSpent:   {http.StatusServiceUnavailable, typeServer, "attempts_spent", true},
	events.CodeNoTarget:        {http.StatusServiceUnavailable, typeServer, "no_target", true},
	events.CodeBreakerOpen:     {http.StatusServiceUnavailable, typeServer, "unavailable", true},
}

// Failure returns why a request that did not complete came to nothing, as OpenAI says it, or nil for one that completed.
func Failure(res events.Result) *Error {
	switch {
	case res.Status == events.StatusCompleted:
		return nil
	case res.Status == events.StatusCanceled:
		return &Error{
			Status: http.StatusConflict, Type: typeInvalid, Code: "canceled", Final: true, Message: "The request was canceled.",
		}
	case res.Error == nil:
		return &Error{Status: http.StatusBadGateway, Type: typeServer, Final: true, Message: "The request failed."}
	}
	s, ok := failures[res.Error.Code]
	if !ok {
		s = said{http.StatusBadGateway, typeServer, res.Error.Code, true}
	}
	return &Error{Status: s.status, Type: s.typ, Code: s.code, Final: s.final, Message: res.Error.Message}
}
