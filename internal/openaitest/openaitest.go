// Package openaitest is a list of calls that OpenAI's own clients make, in Go and in JavaScript, unmodified: of chats, streams,
// tools, JSON, images, completions, embeddings, responses, models, files and batches, with errors, time-outs and aborts among
// them. What a call comes to is a [Transcript], in which ids, times and fingerprints are replaced by a word, so that two
// servers that give the same answers have the same transcripts, whichever client asked.
//
// The list is calls/calls.json. It wants a server with the models sim, which answers soon, and slow, which does not answer
// within a second.
package openaitest

import (
	"embed"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

//go:embed calls
var files embed.FS

// Transcript is what a call came to.
type Transcript struct {
	Name    string
	Outcome json.RawMessage // canonical: members sorted, indented
}

// call is one call of the list.
type call struct {
	Name      string          `json:"name"`
	Do        string          `json:"do"` // what both clients know how to do
	Body      json.RawMessage `json:"body"`
	ID        string          `json:"id"`
	Text      string          `json:"text"`
	Purpose   string          `json:"purpose"`
	Endpoint  string          `json:"endpoint"`
	Lines     []any           `json:"lines"`
	Key       string          `json:"key"`        // instead of the server's
	TimeoutMS int             `json:"timeout_ms"` // of the client, which then tries once
	AbortMS   int             `json:"abort_ms"`   // when the caller loses interest
}

// outcome is what a client writes of a call.
type outcome struct {
	Value any `json:"value,omitempty"`
	Error any `json:"error,omitempty"` // "timeout", "aborted", or what the server said
}

// list returns the calls.
func list(t testing.TB) []call {
	t.Helper()
	text, err := files.ReadFile("calls/calls.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []call
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// attachment returns the bytes that an attachment of the size is made of.
func attachment(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*31 + (i>>8)*7)
	}
	return b
}

// expand replaces what stands for attachments in a body: @data:TYPE:SIZE and @base64:SIZE.
func expand(t testing.TB, v any) any {
	t.Helper()
	size := func(s string) []byte {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return attachment(n)
	}
	switch v := v.(type) {
	case string:
		words := strings.Split(v, ":")
		switch words[0] {
		case "@data":
			return "data:" + words[1] + ";base64," + base64.StdEncoding.EncodeToString(size(words[2]))
		case "@base64":
			return base64.StdEncoding.EncodeToString(size(words[1]))
		}
	case []any:
		for i := range v {
			v[i] = expand(t, v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = expand(t, v[k])
		}
	}
	return v
}
