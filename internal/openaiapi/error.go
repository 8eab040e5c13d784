package openaiapi

import (
	"net/http"
	"strings"

	"baton.dev/baton/events"
)

// Error is what went wrong, as OpenAI says it. What it says is meant for the caller: nothing of the inside, and no secret.
type Error struct {
	Status  int // of HTTP
	Message string
	Type    string
	Param   string // the field that is wrong, as in messages[0].role; empty: null
	Code    string // empty: null
	// Final says that nothing would come of the same request sent again at once: the header x-should-retry then keeps the
	// official clients from it, which by the status alone they would do on 408, 409, 429 and 5xx.
	Final bool
}

// The types of errors.
const (
	typeInvalid  = "invalid_request_error"
	typeServer   = "server_error"
	typeRequests = "requests" // what OpenAI has in a 429 for too many requests
	typeQuota    = "insufficient_quota"
)

// Error implements error.
func (e *Error) Error() string { return e.Message }

// JSON returns the body of the answer.
func (e *Error) JSON() []byte {
	return append(append([]byte(`{"error":`), e.Object()...), '}')
}

// Object returns the error object of that body.
func (e *Error) Object() []byte {
	var w builder
	w.string("message", e.Message)
	w.string("type", e.Type)
	w.raw("param", nullable(e.Param))
	w.raw("code", nullable(e.Code))
	return w.done()
}

func nullable(s string) []byte {
	if s == "" {
		return []byte("null")
	}
	return quoted(s)
}

// invalid is the error of a request that is wrong.
func invalid(param, code, message string) *Error {
	return &Error{Status: http.StatusBadRequest, Message: message, Type: typeInvalid, Param: param, Code: code}
}

func missing(param string) *Error {
	return invalid(param, "missing_required_parameter", "Missing required parameter: '"+param+"'.")
}

func wrongType(param, want string) *Error {
	return invalid(param, "invalid_type", "Invalid type for '"+param+"': expected "+want+".")
}

// unsupported is the error of a field that OpenAI knows and this interface does not have.
func unsupported(param, why string) *Error {
	return invalid(param, "unsupported_parameter", "Unsupported parameter: '"+param+"': "+why)
}

// unknownModel is the error of a model that is not there for this key, which the caller is told no more of.
func unknownModel(model string) *Error {
	return &Error{
		Status: http.StatusNotFound, Type: typeInvalid, Code: "model_not_found",
		Message: "The model `" + model + "` does not exist or you do not have access to it.",
	}
}

// Interrupted is the error of a stream whose end does not fit what was sent of it: an attempt broke in the middle, and another
// one answered otherwise.
func Interrupted(messageID string) *Error {
	return &Error{
		Status: http.StatusBadGateway, Type: typeServer, Code: "stream_interrupted", Final: true,
		Message: "The stream broke in the middle, and the answer that was made since does not begin with what was sent. " +
			"GET /v1/inferences/" + messageID + " has the whole answer.",
	}
}

// Draining is the error of a call that this server cannot wait for any longer, as it is to stop. The request goes on.
func Draining() *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Type: typeServer, Code: "server_shutting_down",
		Message: "This server is shutting down. The request goes on: the same call with the same Idempotency-Key finds its answer.",
	}
}

// Overdue is the error of a call whose time is over before its request has ended. The request goes on.
func Overdue(messageID string) *Error {
	return &Error{
		Status: http.StatusGatewayTimeout, Type: typeServer, Code: "timeout", Final: true,
		Message: "The request did not end in time. GET /v1/inferences/" + messageID + " says what becomes of it.",
	}
}

// NotFound is the error of a response that there is not, or not for this key.
func NotFound(responseID string) *Error {
	return &Error{
		Status: http.StatusNotFound, Type: typeInvalid,
		Message: "Response with id '" + strings.ToValidUTF8(responseID, "\uFFFD") + "' not found.",
	}
}

// NoModel is the error of GET /v1/models/{model} for a model that there is not, or not for this key.
func NoModel(model string) *Error {
	return &Error{
		Status: http.StatusNotFound, Type: typeInvalid, Param: "model", Code: "model_not_found",
		Message: "The model '" + strings.ToValidUTF8(model, "\uFFFD") + "' does not exist",
	}
}

// NotHere is the error of a field that has no place in a request which is not a call of its own.
func NotHere(param string) *Error {
	return unsupported(param, "what is asked for in a batch is not had otherwise.")
}

// Synchronous is the error of a cancel of a response that is not of the background.
func Synchronous() *Error { return invalid("", "", "Cannot cancel a synchronous response.") }

// InvalidQuery is the error of a parameter of the query.
func InvalidQuery(name, why string) *Error {
	return invalid(name, "invalid_value", "Invalid value for '"+name+"': "+why+".")
}

// Unusable is the error of a result that is not what its operation has.
func Unusable() *Error {
	return &Error{
		Status: http.StatusBadGateway, Type: typeServer, Code: events.CodeUnusableOutput, Final: true,
		Message: "The model's answer has nothing in it that can be used.",
	}
}
