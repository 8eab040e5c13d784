package batches

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// FuzzReadLine holds the reader of lines against the same done on the whole text, however the text comes.
func FuzzReadLine(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "a\nb", "a\r\n\n b \n", "0123456789012345678901234567890123456789\nshort\n", "short\n0123456789012345678901234567890123456789",
		"0123456789abcdef0123456789abcdef", "\xff\x00\n", "0123456789abcdef\n0123456789abcde\n",
	} {
		f.Add([]byte(seed), 20)
	}
	f.Fuzz(func(t *testing.T, text []byte, limit int) {
		limit = max(1, min(limit, 100))
		pieces := bytes.SplitAfter(text, []byte("\n"))
		if n := len(pieces); len(pieces[n-1]) > limit {
			pieces = append(pieces, nil) // one that is too long is never the last
		}
		from := bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(text)), 16)
		for i, piece := range pieces {
			got, err := readLine(from, limit)
			last := i == len(pieces)-1
			switch {
			case len(piece) > limit:
				if !errors.Is(err, errLongLine) {
					t.Fatalf("line %d of %d bytes: %q, %v", i, len(piece), got, err)
				}
			case !bytes.Equal(got, bytes.TrimRight(piece, "\r\n")) || errors.Is(err, io.EOF) != last || err != nil && !last:
				t.Fatalf("line %d: %q, %v, want %q, last %t", i, got, err, piece, last)
			}
		}
	})
}

// FuzzChecked reads lines from outside: one that is taken is read the same again from its chunk, and one that is not says why.
func FuzzChecked(f *testing.F) {
	const endpoint = "/v1/chat/completions"
	for _, seed := range []string{
		`{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}`, `{"CUSTOM_ID":"a","custom_id":1}`, `null`, `[]`, `{}`, `"`, ``,
		`{"custom_id":"\ud800","method":"POST","url":"/v1/chat/completions","body":{"a":1,"a":[}}`, "{\"body\": {}\r}", `{"custom_id":"a"} {}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = bytes.TrimSpace(bytes.SplitAfter(text, []byte("\n"))[0])
		l, code, message := checked(text, endpoint, map[string]bool{})
		if (code == "") != (message == "") {
			t.Fatalf("%q: %q, %q", text, code, message)
		}
		if code != "" {
			return
		}
		var again line
		if err := json.Unmarshal(text, &again); err != nil || again.CustomID != l.CustomID || !bytes.Equal(again.Body, l.Body) || !json.Valid(l.Body) {
			t.Fatalf("%q: %v, %+v and %+v", text, err, l, again)
		}
		known := map[string]bool{l.CustomID: true}
		if _, code, _ := checked(text, endpoint, known); code != "duplicate_custom_id" {
			t.Fatalf("%q again: %q", text, code)
		}
	})
}
