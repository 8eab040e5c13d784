// Package problem is how an HTTP edge says that something went wrong: RFC 9457 application/problem+json, with one table from
// error words to statuses and titles.
package problem

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
)

// ContentType is the media type of a problem.
const ContentType = "application/problem+json"

// TypePrefix and a [Word] make the type URI of a problem.
const TypePrefix = "https://baton.dev/problems/"

// Problem is an RFC 9457 problem. What it says is meant for the caller: it must hold nothing of the inside, and no secret.
type Problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty"`
	Errors []FieldError `json:"errors,omitempty"`
	// Error is an extension member: the same as an error object of another interface, for clients that look for that.
	Error json.RawMessage `json:"error,omitempty"`

	// Header is sent with the problem, such as Retry-After or Allow.
	Header http.Header `json:"-"`
}

// FieldError says what is wrong with one field. Pointer is an RFC 6901 JSON Pointer into the request's body; the empty
// pointer is the whole body. Where it is not the body that is wrong but one of the request's headers, Header is its name,
// in lower case, and Pointer is empty.
type FieldError struct {
	Pointer string `json:"pointer"`
	Header  string `json:"header,omitempty"`
	Detail  string `json:"detail"`
}

// New returns a problem of the word's kind. An unknown word is [Internal].
func New(word Word, detail string, fields ...FieldError) *Problem {
	k, ok := kinds[word]
	if !ok {
		word, k = Internal, kinds[Internal]
	}
	return &Problem{Type: TypePrefix + string(word), Title: k.title, Status: k.status, Detail: detail, Errors: fields}
}

// With adds a header to send with the problem, and returns the problem.
func (p *Problem) With(name, value string) *Problem {
	if p.Header == nil {
		p.Header = http.Header{}
	}
	p.Header.Set(name, value)
	return p
}

// Write answers with the problem. Nothing may have been written to w before, and nothing may be after.
func (p *Problem) Write(w http.ResponseWriter) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil { // strings and numbers always encode
		panic(err)
	}
	h := w.Header()
	maps.Copy(h, p.Header)
	h.Set("Content-Type", ContentType)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body.Bytes()) // an error means that the caller is gone
}
