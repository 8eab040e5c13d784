package model

import (
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"baton.dev/baton/events"
)

func TestOutsideMessage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"a sentence stays":                {"'temperature' must be at most 2.", "'temperature' must be at most 2."},
		"white space becomes a space":     {"one\ntwo\tthree", "one two three"},
		"control characters are dropped":  {"a\x00b\x1b[31mc\u0085d\u202ee", "ab[31mc de"},
		"what is not UTF-8 is replaced":   {"a\xffb", "a\uFFFDb"},
		"a message of spaces is none":     {" \n ", ""},
		"a message with a secret is none": {"wrong key sk-123", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := outsideMessage(tc.in, "", "sk-123"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}

	t.Run("a long message is cut between characters", func(t *testing.T) {
		t.Parallel()
		got := outsideMessage(strings.Repeat("ä", 1000))
		if n := utf8.RuneCountInString(got); n != 300 || !utf8.ValidString(got) {
			t.Errorf("got %d runes, valid %v", n, utf8.ValidString(got))
		}
	})
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	e := NewError(events.CodeUnreachable, io.ErrUnexpectedEOF)
	e.Target, e.Status, e.Message = "main", 200, "what the model said"
	if got, want := e.Error(), "model: call main: unreachable (status 200): unexpected EOF"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(e, io.ErrUnexpectedEOF) {
		t.Error("the error does not unwrap to its cause")
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	unknown := sentence("no such code")
	for _, code := range []string{
		events.CodeTimeout, events.CodeUnreachable, events.CodeUnavailable, events.CodeRateLimited, events.CodeQuotaExhausted,
		events.CodeInvalidRequest, events.CodeContentRefused, events.CodeUnauthorized, events.CodeUnknownModel,
		events.CodeUnusableOutput, events.CodeOutputTooLarge, events.CodeTargetGone, events.CodeDeadline,
	} {
		if sentence(code) == unknown {
			t.Errorf("%s has no sentence of its own", code)
		}
	}
}
