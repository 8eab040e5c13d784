package model

import (
	"net/http"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestRetryAt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		headers map[string]string
		want    time.Duration // from noon; 0: not said
	}{
		"seconds count from now":                     {map[string]string{"Retry-After": "20"}, 20 * time.Second},
		"a fraction of a second counts":              {map[string]string{"Retry-After": "0.25"}, 250 * time.Millisecond},
		"space around the number is ignored":         {map[string]string{"Retry-After": " 7 "}, 7 * time.Second},
		"an HTTP date is taken as it stands":         {map[string]string{"Retry-After": "Sun, 01 Mar 2026 12:01:30 GMT"}, 90 * time.Second},
		"an HTTP date in the past says nothing":      {map[string]string{"Retry-After": "Sun, 01 Mar 2026 11:59:00 GMT"}, 0},
		"an HTTP date next year is bounded":          {map[string]string{"Retry-After": "Mon, 01 Mar 2027 12:00:00 GMT"}, 24 * time.Hour},
		"zero says nothing":                          {map[string]string{"Retry-After": "0"}, 0},
		"a negative number says nothing":             {map[string]string{"Retry-After": "-5"}, 0},
		"not a number says nothing":                  {map[string]string{"Retry-After": "NaN"}, 0},
		"infinity is bounded":                        {map[string]string{"Retry-After": "Inf"}, 24 * time.Hour},
		"more than time can hold is bounded":         {map[string]string{"Retry-After": "99999999999999999999"}, 24 * time.Hour},
		"words say nothing":                          {map[string]string{"Retry-After": "soon"}, 0},
		"no header says nothing":                     {nil, 0},
		"milliseconds are more exact than seconds":   {map[string]string{"Retry-After-Ms": "1500", "Retry-After": "2"}, 1500 * time.Millisecond},
		"milliseconds that make no sense are passed": {map[string]string{"Retry-After-Ms": "x", "Retry-After": "2"}, 2 * time.Second},
		"a reset is a duration":                      {map[string]string{"X-Ratelimit-Reset-Requests": "6m0s"}, 6 * time.Minute},
		"a reset may have fractions":                 {map[string]string{"X-Ratelimit-Reset-Tokens": "2m59.5s"}, 179500 * time.Millisecond},
		"a reset may be seconds":                     {map[string]string{"X-Ratelimit-Reset-Tokens": "3"}, 3 * time.Second},
		"a reset is bounded":                         {map[string]string{"X-Ratelimit-Reset-Tokens": "900h"}, 24 * time.Hour},
		"a negative reset says nothing":              {map[string]string{"X-Ratelimit-Reset-Tokens": "-3s"}, 0},
		"the longer of two resets counts": {
			map[string]string{"X-Ratelimit-Reset-Requests": "1s", "X-Ratelimit-Reset-Tokens": "9s"}, 9 * time.Second,
		},
		"the reset of a limit with something left does not count": {
			map[string]string{
				"X-Ratelimit-Reset-Requests": "1s", "X-Ratelimit-Remaining-Requests": "0",
				"X-Ratelimit-Reset-Tokens": "9s", "X-Ratelimit-Remaining-Tokens": "140000",
			}, time.Second,
		},
		"a Retry-After is more exact than a reset": {
			map[string]string{"Retry-After": "2", "X-Ratelimit-Reset-Requests": "6m0s"}, 2 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			for k, v := range tc.headers {
				h.Set(k, v)
			}
			var want time.Time
			if tc.want > 0 {
				want = noon.Add(tc.want)
			}
			if got := retryAt(h, noon); !got.Equal(want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func FuzzRetryAt(f *testing.F) {
	for _, v := range []string{"20", "0.25", "Sun, 01 Mar 2026 12:01:30 GMT", "6m0s", "2m59.56s", "-1", "1e400", "0x1p-2", "NaN", ""} {
		f.Add(v, v, v)
	}
	f.Fuzz(func(t *testing.T, ms, after, reset string) {
		h := http.Header{}
		h.Set("Retry-After-Ms", ms)
		h.Set("Retry-After", after)
		h.Set("X-Ratelimit-Reset-Requests", reset)
		at := retryAt(h, noon)
		if !at.IsZero() && (!at.After(noon) || at.After(noon.Add(longestRetry))) {
			t.Errorf("retry at %v is not within a day of %v", at, noon)
		}
	})
}
