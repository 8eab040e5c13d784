package callback

import (
	"net/http"

	"baton.dev/baton/events"
)

// sent is the attributes that a receiver gets, each with its header: what tells it which event of which request this is.
// What the chain keeps for itself is not among them. The content type is a header of its own in binary mode.
var sent = map[string]string{
	"specversion":   "Ce-Specversion",
	"id":            "Ce-Id",
	"source":        "Ce-Source",
	"type":          "Ce-Type",
	"subject":       "Ce-Subject",
	"time":          "Ce-Time",
	"dataschema":    "Ce-Dataschema",
	"model":         "Ce-Model",
	"target":        "Ce-Target",
	"attempt":       "Ce-Attempt",
	"errorcode":     "Ce-Errorcode",
	"correlationid": "Ce-Correlationid",
	"causationid":   "Ce-Causationid",
	"traceparent":   "Ce-Traceparent",
	"tracestate":    "Ce-Tracestate",
}

// setAttributes sets the event's attributes as headers (CloudEvents HTTP protocol binding 1.0, section 3.1.3), and its trace
// as the W3C's own headers too.
func setAttributes(h http.Header, in events.Event) {
	for name, value := range in.Attributes() {
		if header, ok := sent[name]; ok {
			h[header] = []string{events.EncodeHeader(events.Text(value))}
		}
	}
	if in.TraceParent != "" && isPlain(in.TraceParent) {
		h["Traceparent"] = []string{in.TraceParent}
		if in.TraceState != "" && isPlain(in.TraceState) {
			h["Tracestate"] = []string{in.TraceState}
		}
	}
}

// isPlain reports whether s is printable ASCII, and so can be a header value as it is.
func isPlain(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
