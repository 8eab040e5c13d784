package model

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestRetry bounds what a server may ask for. A daily quota is the longest limit that providers state this way.
const longestRetry = 24 * time.Hour

// retryAt returns when the server will take calls again, read from the headers of a refusal, or zero where they do not
// say. The most exact header wins: retry-after-ms (OpenAI, Azure), then Retry-After (RFC 9110, section 10.2.3), then the
// x-ratelimit-reset-* of those limits that are used up (OpenAI and its like).
func retryAt(h http.Header, now time.Time) time.Time {
	if d, ok := number(h.Get("Retry-After-Ms"), time.Millisecond); ok {
		return now.Add(d)
	}
	if t, ok := retryAfter(h.Get("Retry-After"), now); ok {
		return t
	}
	var longest time.Duration
	for _, limit := range []string{"Requests", "Tokens"} {
		// A limit that has something left is not the one that was hit.
		if left, err := strconv.ParseFloat(h.Get("X-Ratelimit-Remaining-"+limit), 64); err == nil && left > 0 {
			continue
		}
		if d, ok := reset(h.Get("X-Ratelimit-Reset-" + limit)); ok {
			longest = max(longest, d)
		}
	}
	if longest == 0 {
		return time.Time{}
	}
	return now.Add(longest)
}

// retryAfter reads a Retry-After: seconds, which some servers write with a fraction, or an HTTP date.
func retryAfter(v string, now time.Time) (time.Time, bool) {
	if d, ok := number(v, time.Second); ok {
		return now.Add(d), true
	}
	t, err := http.ParseTime(v)
	if err != nil || !t.After(now) {
		return time.Time{}, false
	}
	if latest := now.Add(longestRetry); t.After(latest) {
		return latest, true
	}
	return t, true
}

// reset reads an x-ratelimit-reset-*: a duration in Go's notation ("6m0s", "2m59.56s", "20ms") or seconds.
func reset(v string) (time.Duration, bool) {
	v = strings.TrimSpace(v)
	if d, err := time.ParseDuration(v); err == nil {
		return min(d, longestRetry), d > 0
	}
	return number(v, time.Second)
}

// number reads a positive number of units, bounded by longestRetry. Zero says nothing: it is not ok.
func number(v string, unit time.Duration) (time.Duration, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	if err != nil || math.IsNaN(f) || f <= 0 {
		return 0, false
	}
	if f >= float64(longestRetry/unit) {
		return longestRetry, true
	}
	d := time.Duration(f * float64(unit))
	return d, d > 0
}
