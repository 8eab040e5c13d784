package events_test

import (
	"strings"
	"testing"

	"baton.dev/baton/events"
)

func TestEncodeHeader(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                    "",
		"plain~!@#$&*()":      "plain~!@#$&*()",
		"Euro € 😀":            "Euro%20%E2%82%AC%20%F0%9F%98%80", // the example of the specification, section 3.1.3.2
		"a \"quote\" and 50%": "a%20%22quote%22%20and%2050%25",
		"\x00\n\x7f":          "%00%0A%7F",
	} {
		if got := events.EncodeHeader(raw); got != want {
			t.Errorf("events.EncodeHeader(%q) = %q, want %q", raw, got, want)
		}
		if got := events.DecodeHeader(want); got != raw {
			t.Errorf("events.DecodeHeader(%q) = %q, want %q", want, got, raw)
		}
	}
}

func TestDecodeHeaderLeavesWhatWasNeverEncoded(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"100%", "50% off", "%zz", "%4", "a \"b\" %41", "é%41"} {
		if got := events.DecodeHeader(raw); got != raw {
			t.Errorf("events.DecodeHeader(%q) = %q, want it as it is", raw, got)
		}
	}
	if got := events.DecodeHeader("%e2%82%ac"); got != "€" {
		t.Errorf("lower-case digits: %q", got)
	}
}

func FuzzDecodeHeader(f *testing.F) {
	for _, s := range []string{"", "%", "%4", "%41", "a b", "€", "%E2%82%AC", "\"%20"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := events.DecodeHeader(events.EncodeHeader(s)); got != s {
			t.Errorf("events.DecodeHeader(events.EncodeHeader(%q)) = %q", s, got)
		}
		if strings.ContainsAny(events.EncodeHeader(s), " \"\n\r\x00") {
			t.Errorf("events.EncodeHeader(%q) = %q", s, events.EncodeHeader(s))
		}
		events.DecodeHeader(s)
	})
}
