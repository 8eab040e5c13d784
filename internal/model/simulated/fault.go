package simulated

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

const invalidRequest = "invalid_request_error"

// fault is a refusal of a request. Its messages and codes are those of OpenAI's own server.
type fault struct {
	status               int
	message, param, code string
}

// typ returns the error's type: a fault is the caller's or the server's.
func (f *fault) typ() string {
	if f.status >= http.StatusInternalServerError {
		return "server_error"
	}
	return invalidRequest
}

func (f *fault) write(w http.ResponseWriter) {
	refuse(w, f.status, f.message, f.typ(), f.param, f.code)
}

func bad(message, param, code string) *fault {
	return &fault{http.StatusBadRequest, message, param, code}
}

func missing(param string) *fault {
	return bad("Missing required parameter: '"+param+"'.", param, "missing_required_parameter")
}

func wrongType(param, want, got string) *fault {
	return bad(fmt.Sprintf("Invalid type for '%s': expected %s, but got %s instead.", param, want, got), param, "invalid_type")
}

func wrongValue(param, got string, supported ...string) *fault {
	last := len(supported) - 1
	list := "'" + strings.Join(supported[:last], "', '") + "', and '" + supported[last] + "'"
	return bad(fmt.Sprintf("Invalid value: '%s'. Supported values are: %s.", got, list), param, "invalid_value")
}

func nothing(what, id string) *fault {
	return &fault{status: http.StatusNotFound, message: what + " with id '" + id + "' not found."}
}

func unavailable(message, code string) *fault {
	return &fault{http.StatusServiceUnavailable, message, "", code}
}

// decode reads a body, or returns the refusal of what is no JSON or of another type.
func decode(body []byte, into any) *fault {
	err := json.Unmarshal(body, into)
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return wrongType(e.Field, expected(e.Type.Kind().String()), article(e.Value))
	}
	return bad("We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "+
		"correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)", "", "")
}

// article returns what JSON's decoder says it found as a sentence has it: "number 1e999" is a number.
func article(value string) string {
	kind, _, _ := strings.Cut(value, " ")
	switch kind {
	case "array", "object":
		return "an " + kind
	case "bool":
		return "a boolean"
	default:
		return "a " + kind
	}
}

// expected returns the JSON name of a kind of Go's types.
func expected(kind string) string {
	switch kind {
	case "string":
		return "a string"
	case "bool":
		return "a boolean"
	case "slice":
		return "an array"
	case "float64":
		return "a decimal"
	case "int", "int64":
		return "an integer"
	default:
		return "an object"
	}
}

// kindOf returns what a JSON value is, as a sentence has it.
func kindOf(raw json.RawMessage) string {
	switch {
	case len(raw) == 0 || raw[0] == 'n':
		return "null"
	case raw[0] == '"':
		return "a string"
	case raw[0] == '[':
		return "an array"
	case raw[0] == '{':
		return "an object"
	case raw[0] == 't' || raw[0] == 'f':
		return "a boolean"
	case bytes.ContainsAny(raw, ".eE"):
		return "a decimal"
	default:
		return "an integer"
	}
}

// refuse writes an error in OpenAI's shape. An empty param or code is null.
func refuse(w http.ResponseWriter, status int, message, typ, param, code string) {
	b := append(make([]byte, 0, 256), `{"error":{"message":`...)
	b = appendString(b, message)
	b = append(b, `,"type":`...)
	b = appendString(b, typ)
	b = append(b, `,"param":`...)
	b = appendNullable(b, param)
	b = append(b, `,"code":`...)
	b = appendNullable(b, code)
	b = append(b, `}}`...)
	w.Header()["Content-Type"] = contentTypeJSON
	w.WriteHeader(status)
	_, _ = w.Write(b) //nolint:gosec // G705: JSON by its content type, and every string in it is escaped
}
