package model

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"baton.dev/baton/events"
)

// Error is why a call came to nothing.
//
// Its text is for logs: target, code, status and a cause in this package's own words. It never holds the Message, the
// URL, the credential, the prompt or what the server sent.
type Error struct {
	Code    string    // one of the error codes of package events
	Message string    // what the caller may be told; for the caller's own fault it can be the model's words
	RetryAt time.Time // when the server will take calls again, where it said so
	Status  int       // the HTTP status; 0 where there was none
	Target  string    // the target's name

	// Sent is whether anything of the request may have reached the target. Where it is false the call cost nothing: no
	// connection came about, or the request could not even be made.
	Sent bool
	// Usage is what the server says that the call took, where it answered with something that cannot be kept; nil: it did
	// not say.
	Usage *events.Usage

	cause error
}

// NewError returns an error of the code, of a call that was not sent, with the sentence that callers are told for it. The
// cause is optional; its text goes to logs and so must be free of secrets and of outside bytes.
func NewError(code string, cause error) *Error {
	return &Error{Code: code, Message: sentence(code), cause: cause}
}

// TooLarge returns the error of an answer that is larger than the limit, in bytes.
func TooLarge(limit int64) *Error {
	e := NewError(events.CodeOutputTooLarge, nil)
	e.Message = fmt.Sprintf("The answer is larger than the %d bytes that a result may have. "+
		"Ask for less in one request, such as fewer inputs, choices or tokens.", limit)
	return e
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("model: call ")
	b.WriteString(e.Target)
	b.WriteString(": ")
	b.WriteString(e.Code)
	if e.Status != 0 {
		b.WriteString(" (status ")
		b.WriteString(strconv.Itoa(e.Status))
		b.WriteByte(')')
	}
	if e.cause != nil {
		b.WriteString(": ")
		b.WriteString(e.cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

const sentenceNoClient = "This version cannot call the kind of target that was chosen."

// sentence is what a caller is told for a code. What went wrong between Baton and the model is the operator's business,
// so these say no more than the code does.
func sentence(code string) string {
	switch code {
	case events.CodeTimeout:
		return "The model did not answer in time."
	case events.CodeUnreachable:
		return "The model could not be reached, or the connection to it broke."
	case events.CodeUnavailable:
		return "The model cannot serve requests at the moment."
	case events.CodeRateLimited:
		return "The model takes no more requests for a while."
	case events.CodeQuotaExhausted:
		return "The quota with the model's provider is exhausted."
	case events.CodeInvalidRequest:
		return "The model refuses the request as invalid."
	case events.CodeContentRefused:
		return "The model's content filter refuses the request."
	case events.CodeUnauthorized:
		return "The model does not accept this service's credential."
	case events.CodeUnknownModel:
		return "The model is not known where it was expected."
	case events.CodeUnusableOutput:
		return "The model's answer has nothing in it that can be used."
	case events.CodeOutputTooLarge:
		return "The model's answer is too large."
	case events.CodeUnsupported:
		return "The model that was chosen cannot do what is asked."
	case events.CodeDataMissing:
		return "A part of the request is not there, or no longer."
	case events.CodeDataAltered:
		return "A part of the request is not what was accepted."
	case events.CodeTargetGone:
		return "The target that was chosen is no longer configured."
	case events.CodeExpired:
		return "The deadline passed before the model was called."
	case events.CodeBreakerOpen:
		return "The target is left alone for a while: its calls failed."
	case events.CodeBudgetSpent:
		return "What the request may cost is more than the budget has left."
	case events.CodeDeadline:
		return "The deadline passed before the model answered."
	default:
		return "The call of the model came to nothing."
	}
}

// messageLimit bounds a model's message to the caller, in runes: enough for a sentence that says which field is wrong.
const messageLimit = 300

// outsideMessage returns a model server's own message as it may be passed on: one line, without control characters,
// bounded. It returns "" where nothing is left, or where the message quotes one of the secrets.
func outsideMessage(s string, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" && strings.Contains(s, secret) {
			return ""
		}
	}
	var b strings.Builder
	runes := 0
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case runes == messageLimit:
			return strings.TrimSpace(b.String())
		case unicode.IsSpace(r):
			r = ' '
		case unicode.Is(unicode.C, r): // control, format (bidi overrides among them), private, surrogate
			continue
		}
		b.WriteRune(r)
		runes++
	}
	return strings.TrimSpace(b.String())
}
