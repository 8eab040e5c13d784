package model

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"baton.dev/baton/events"
)

// apiError is the body of a refusal as far as it is read. Codes are words at OpenAI and numbers elsewhere.
type apiError struct{ Code, Type, Message string }

// refusal returns the error of a response that is no success.
func refusal(resp *http.Response, body []byte, secrets []string, now time.Time) *Error {
	api := decodeAPIError(body)
	return refusalBy(resp.StatusCode, api, resp, secrets, now)
}

// refusalWithin returns the error that a response says it has come to after it began as a success.
func refusalWithin(resp *http.Response, body []byte, secrets []string, now time.Time) *Error {
	api := decodeAPIError(body)
	return refusalBy(statusOf(api), api, resp, secrets, now)
}

// refusalBy returns the error of a response as if it had the status.
func refusalBy(status int, api apiError, resp *http.Response, secrets []string, now time.Time) *Error {
	e := withStatus(NewError(classify(status, api), nil), resp)
	if events.CallersFault(e.Code) {
		if m := outsideMessage(api.Message, secrets...); m != "" {
			e.Message = m
		}
	}
	switch e.Code {
	case events.CodeRateLimited, events.CodeQuotaExhausted, events.CodeUnavailable:
		e.RetryAt = retryAt(resp.Header, now)
	}
	return e
}

// statusOf returns the status that the error would have come with, had the server known of it before it began to answer:
// some say it as a number, the others by the words of OpenAI, of those like it, and of vLLM.
func statusOf(e apiError) int {
	if n, err := strconv.Atoi(e.Code); err == nil && n >= 400 && n <= 599 {
		return n
	}
	for _, word := range []string{e.Code, e.Type} {
		switch word {
		case "invalid_request_error", "BadRequestError", "context_length_exceeded", "content_filter", "content_policy_violation":
			return http.StatusBadRequest
		case "authentication_error", "invalid_api_key":
			return http.StatusUnauthorized
		case "permission_error":
			return http.StatusForbidden
		case "not_found_error", "NotFoundError", "model_not_found":
			return http.StatusNotFound
		case "insufficient_quota", "rate_limit_error", "rate_limit_exceeded", "requests", "tokens":
			return http.StatusTooManyRequests
		case "timeout", "timeout_error":
			return http.StatusGatewayTimeout
		}
		if _, known := openAIWords[word]; known {
			return http.StatusBadRequest
		}
	}
	return http.StatusInternalServerError
}

// classify is the one place that reads a refusal by OpenAI's protocol: status and error code, to an error code of ours.
// The words of the body only count on a 4xx; on anything else the status says all there is.
func classify(status int, e apiError) string {
	if status >= 400 && status <= 499 {
		for _, word := range []string{e.Code, e.Type} {
			if code, ok := openAIWords[word]; ok {
				return code
			}
		}
	}
	switch status {
	case http.StatusRequestTimeout, http.StatusGatewayTimeout, 524: // 524: Cloudflare's 504
		return events.CodeTimeout
	case http.StatusTooManyRequests:
		return events.CodeRateLimited
	case http.StatusPaymentRequired:
		return events.CodeQuotaExhausted
	case http.StatusUnauthorized, http.StatusForbidden:
		return events.CodeUnauthorized
	case http.StatusNotFound:
		return events.CodeUnknownModel
	case http.StatusConflict, http.StatusTooEarly:
		// About the moment and not about the request: OpenAI's own clients try again on 409.
		return events.CodeUnavailable
	}
	if status >= 400 && status <= 499 {
		return events.CodeInvalidRequest
	}
	return events.CodeUnavailable // 5xx, 529 (overloaded) among them, redirects, and what is no final status
}

// openAIWords are the values of error.code and error.type that say more than the status does.
var openAIWords = map[string]string{
	"insufficient_quota":           events.CodeQuotaExhausted,
	"billing_hard_limit_reached":   events.CodeQuotaExhausted,
	"billing_not_active":           events.CodeQuotaExhausted,
	"content_filter":               events.CodeContentRefused, // Azure
	"content_policy_violation":     events.CodeContentRefused,
	"moderation_blocked":           events.CodeContentRefused,
	"ResponsibleAIPolicyViolation": events.CodeContentRefused, // Azure
	"model_not_found":              events.CodeUnknownModel,
}

// decodeAPIError reads the shapes in which servers that call themselves OpenAI-compatible say what is wrong. What is not
// understood is left empty.
func decodeAPIError(body []byte) apiError {
	var outer map[string]json.RawMessage
	if json.Unmarshal(body, &outer) != nil {
		return apiError{}
	}
	fields := outer // {"object":"error","message":…,"code":400}: vLLM before 0.10
	if raw := outer["error"]; isObject(raw) {
		fields = nil
		_ = json.Unmarshal(raw, &fields) // it is known to be an object
	}
	e := apiError{Code: word(fields["code"]), Type: word(fields["type"]), Message: jsonString(fields["message"])}
	for _, name := range []string{"error", "detail"} { // Ollama, TGI; FastAPI
		if e.Message == "" {
			e.Message = jsonString(outer[name])
		}
	}
	return e
}

// word returns a JSON string's value or a number's text.
func word(raw json.RawMessage) string {
	if s := jsonString(raw); s != "" {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) != nil {
		return ""
	}
	return n.String()
}
