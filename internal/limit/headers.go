package limit

import (
	"math"
	"strconv"
	"time"
)

// policy is the name of the one policy there is.
const policy = `"default"`

// Policy returns the value of the RateLimit-Policy header (draft-ietf-httpapi-ratelimit-headers-10, section 3): the burst,
// and the seconds in which the rate makes it good.
func (r Rate) Policy() string {
	window := math.Ceil(float64(r.Quota())*r.Interval().Seconds() - rounding)
	return policy + ";q=" + strconv.Itoa(r.Quota()) + ";w=" + strconv.FormatInt(bounded(max(window, 1)), 10)
}

// Field returns the value of the RateLimit header (the same, section 4): how many more may go at once, and the seconds until
// it is one more.
func (a Answer) Field() string {
	return policy + ";r=" + strconv.Itoa(a.Remaining) + ";t=" + strconv.FormatInt(a.seconds(), 10)
}

// RetryAfter returns the value of the Retry-After header for a request that was refused. It is never earlier than what
// [Answer.Field] says, as the draft wants (section 6).
func (a Answer) RetryAfter() string { return strconv.FormatInt(max(a.seconds(), 1), 10) }

// seconds returns the time to the next request in whole seconds, rounded up: what comes then must find it.
func (a Answer) seconds() int64 { return bounded(math.Ceil(float64(a.Next) / float64(time.Second))) }

// bounded returns a whole number that a structured field can hold (RFC 9651, section 3.3.1).
func bounded(n float64) int64 { return int64(min(n, 999_999_999_999_999)) }
