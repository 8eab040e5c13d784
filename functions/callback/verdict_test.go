package callback

import (
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		from, to int
		want     verdict
	}{
		{100, 199, failed},
		{200, 299, delivered},
		{300, 399, failed},
		{400, 409, failed},
		{410, 410, gone},
		{411, 428, failed},
		{429, 429, later},
		{430, 499, failed},
		{500, 502, failed},
		{503, 503, later},
		{504, 999, failed},
	} {
		for status := tc.from; status <= tc.to; status++ {
			if got := judge(status); got != tc.want {
				t.Errorf("%d is %s, want %s", status, got, tc.want)
			}
		}
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var retryAfters = []struct {
	name, header string
	want         time.Duration
	ok           bool
}{
	{"absent", "", 0, false},
	{"zero", "0", 0, true},
	{"seconds", "120", 2 * time.Minute, true},
	{"seconds with spaces around", " 120 ", 2 * time.Minute, true},
	{"a day", "86400", 24 * time.Hour, true},
	{"over a day", "86401", 24 * time.Hour, true},
	{"more digits than fit", "99999999999999999999", 24 * time.Hour, true},
	{"a date", "Sun, 01 Mar 2026 12:30:00 GMT", 30 * time.Minute, true},
	{"a date of RFC 850", "Sunday, 01-Mar-26 12:30:00 GMT", 30 * time.Minute, true},
	{"a date of asctime", "Sun Mar  1 12:30:00 2026", 30 * time.Minute, true},
	{"a date that is past", "Sun, 01 Mar 2026 11:00:00 GMT", 0, true},
	{"a date over a day away", "Sun, 01 Mar 2036 12:30:00 GMT", 24 * time.Hour, true},
	{"negative", "-1", 0, false},
	{"a fraction", "1.5", 0, false},
	{"a word", "soon", 0, false},
}

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	for _, tc := range retryAfters {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, ok := parseRetryAfter(tc.header, noon)
			if got != tc.want || ok != tc.ok {
				t.Errorf("%q is %v, %t; want %v, %t", tc.header, got, ok, tc.want, tc.ok)
			}
		})
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, tc := range retryAfters {
		f.Add(tc.header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if d, ok := parseRetryAfter(header, noon); d < 0 || d > maxRetryAfter || (!ok && d != 0) {
			t.Fatalf("%q is %v, %t", header, d, ok)
		}
	})
}
