package simulated

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// Headers' values, shared by all responses: net/http only reads them.
var (
	contentTypeJSON   = []string{"application/json"}
	contentTypeStream = []string{"text/event-stream"}
)

// list is OpenAI's list of anything.
type list[T any] struct {
	Object  string  `json:"object"`
	Data    []T     `json:"data"`
	FirstID *string `json:"first_id,omitempty"`
	LastID  *string `json:"last_id,omitempty"`
	HasMore *bool   `json:"has_more,omitempty"`
}

// write answers 200 with the value as JSON.
func write(w http.ResponseWriter, v any) {
	b := encode(v)
	w.Header()["Content-Type"] = contentTypeJSON
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(b))}
	_, _ = w.Write(b)
}

// encode returns a value of this package as JSON, without escapes for HTML.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) //nolint:errchkjson // the package's own values can all be encoded
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func appendNullable(b []byte, s string) []byte {
	if s == "" {
		return append(b, `null`...)
	}
	return appendString(b, s)
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return append(b, encode(s)...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
