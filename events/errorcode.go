package events

// The error codes of attempts and results: what an attempt_failed event says in errorcode, and a failed result in
// error.code. The set is closed: the same word stands in logs, metrics, events and answers.
const (
	CodeTimeout         = "timeout"           // the model did not answer in the target's time
	CodeUnreachable     = "unreachable"       // no connection, or one that broke
	CodeUnavailable     = "unavailable"       // the model server says it cannot serve now (5xx)
	CodeRateLimited     = "rate_limited"      // the model server asks to be left alone for a while
	CodeQuotaExhausted  = "quota_exhausted"   // the account with the provider is spent: another try there is no use
	CodeInvalidRequest  = "invalid_request"   // the model refuses this request, and would refuse it again
	CodeContentRefused  = "content_refused"   // the model server's filter refuses the content
	CodeUnauthorized    = "unauthorized"      // the target's credential is refused: the operator's fault, not the caller's
	CodeUnknownModel    = "unknown_model"     // the target does not have the model
	CodeUnusableOutput  = "unusable_output"   // the model answered, but with nothing that can be kept
	CodeOutputTooLarge  = "output_too_large"  // the answer is larger than a result may be, and would be at any target
	CodeUnsupported     = "unsupported"       // the target cannot do what is asked, such as take images: another may
	CodeDataMissing     = "data_missing"      // a part of the request is not in the object store, or no longer
	CodeDataAltered     = "data_altered"      // a part of the request is not what was accepted
	CodeTargetGone      = "target_gone"       // the configuration no longer has the target
	CodeNoTarget        = "no_target"         // the model has no target that could be tried
	CodeAttemptsSpent   = "attempts_spent"    // every allowed attempt failed
	CodeDeadline        = "deadline_exceeded" // the deadline passed while a call was under way, or leaves no time for another
	CodeExpired         = "expired"           // the deadline passed before the attempt was begun
	CodeBreakerOpen     = "breaker_open"      // the target is left alone for a while: it was not called
	CodeBudgetSpent     = "budget_spent"      // what the attempt may cost is more than the tenant's budget has left
	CodeModelNotOffered = "model_not_offered" // the configuration no longer has the model
)

// Begun reports whether an attempt that failed with the code was begun: whether a model was called.
func Begun(code string) bool {
	switch code {
	case CodeExpired, CodeTargetGone, CodeBreakerOpen, CodeBudgetSpent, CodeUnsupported, CodeDataMissing, CodeDataAltered:
		return false
	default:
		return true
	}
}

// CallersFault reports whether the code means that the request itself is refused, so that no other target would do.
func CallersFault(code string) bool {
	switch code {
	case CodeInvalidRequest, CodeContentRefused, CodeDataMissing, CodeDataAltered:
		return true
	default:
		return false
	}
}

// Final reports whether an attempt that failed with the code ends the request: it is refused, or what it asks for is larger than
// a result may be, which another target would be paid for in vain.
func Final(code string) bool { return CallersFault(code) || code == CodeOutputTooLarge }
