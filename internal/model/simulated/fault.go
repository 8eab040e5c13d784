package simulated

import (
	"encoding/json"
	"net/http"
)

const invalidRequest = "invalid_request_error"

// fault is a refusal of a request that is wrong.
type fault struct {
	status               int
	message, param, code string
}

func (f *fault) write(w http.ResponseWriter) {
	refuse(w, f.status, f.message, invalidRequest, f.param, f.code)
}

func bad(message, param, code string) *fault {
	return &fault{http.StatusBadRequest, message, param, code}
}

func missing(param string) *fault {
	return bad("Missing required parameter: '"+param+"'.", param, "missing_required_parameter")
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

func appendNullable(b []byte, s string) []byte {
	if s == "" {
		return append(b, `null`...)
	}
	return appendString(b, s)
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) //nolint:errchkjson // a string can always be encoded
	return append(b, quoted...)
}
