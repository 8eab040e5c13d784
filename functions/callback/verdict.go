package callback

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// verdict is what a receiver's status means for the delivery.
type verdict string

const (
	delivered verdict = "delivered"
	gone      verdict = "gone"   // the receiver wants no more: never again
	later     verdict = "later"  // again, and not before the time that the receiver may have named
	failed    verdict = "failed" // again by the schedule
)

// judge is the one table of what a status means. A redirect is a failure: it is not followed, since where it leads is not
// what the caller was allowed to name.
func judge(status int) verdict {
	switch {
	case status >= 200 && status <= 299:
		return delivered
	case status == http.StatusGone:
		return gone
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return later
	default:
		return failed
	}
}

// maxRetryAfter bounds what a receiver can ask for: beyond a day, keeping the event is not worth what it costs.
const maxRetryAfter = 24 * time.Hour

// parseRetryAfter reads a Retry-After header, seconds or a date (RFC 9110, section 10.2.3), as a delay from now of zero to
// maxRetryAfter, and whether it says anything.
func parseRetryAfter(header string, now time.Time) (time.Duration, bool) {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0, false
	}
	if strings.Trim(header, "0123456789") == "" {
		seconds, err := strconv.ParseInt(header, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter, true // more digits than fit is a long time too
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), maxRetryAfter), true
}
