package health

import (
	"time"

	"baton.dev/baton/events"
)

// verdict is what an outcome says about its target.
type verdict int

const (
	silent verdict = iota // nothing: it was the caller's doing, or ours
	well
	ill
)

// verdictOf is the one table of whose doing an outcome is.
func verdictOf(code string) verdict {
	switch code {
	case "":
		return well
	case events.CodeTimeout, events.CodeUnreachable, events.CodeUnavailable, events.CodeRateLimited, events.CodeQuotaExhausted,
		events.CodeUnauthorized, events.CodeUnknownModel, events.CodeUnusableOutput:
		return ill
	default:
		return silent
	}
}

const (
	longestRetry = 24 * time.Hour // the longest that a target's word is taken for: a provider's quota lasts a day
	quotaRetry   = time.Minute    // for a quota that is spent, where the target does not say until when
)

// refusedUntil returns until when the target itself asks to be left alone, and zero if it does not.
func (o Outcome) refusedUntil() time.Time {
	switch o.Code {
	case events.CodeRateLimited, events.CodeQuotaExhausted, events.CodeUnavailable:
	default:
		return time.Time{}
	}
	switch limit := o.At.Add(longestRetry); {
	case o.RetryAt.After(limit):
		return limit
	case o.RetryAt.After(o.At):
		return o.RetryAt
	case o.Code == events.CodeQuotaExhausted:
		return o.At.Add(quotaRetry)
	default:
		return time.Time{}
	}
}
