package ingest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"mime"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"baton.dev/baton/events"
)

// Bounds of the extensions that are carried along without being understood: each is a header of every message of the
// request's way, and brokers bound those (NATS to some kilobytes by default, SQS to ten attributes beside the body).
const (
	maxExtensions     = 16
	maxExtensionName  = 20 // CloudEvents 1.0, section 3: names should not be longer
	maxExtensionBytes = 4 << 10
)

// fromEvent returns what an event submits, with all that is wrong with the event itself. It takes the attributes out of the
// envelope as it reads them.
func (s *Server) fromEvent(e *envelope) Submission {
	source, id := e.required("source"), e.required("id")
	if source != "" {
		if _, err := url.Parse(source); err != nil {
			e.wrong("source", "must be a URI reference (RFC 3986)")
		}
	}
	if v := e.required("specversion"); v != "" && v != events.SpecVersion {
		e.wrong("specversion", fmt.Sprintf("must be %q", events.SpecVersion))
	}
	if v := e.required("type"); v != "" && v != string(events.Requested) {
		e.wrong("type", fmt.Sprintf("must be %q", events.Requested))
	}
	e.optional("subject")
	e.moment("time")
	if v := e.optional("dataschema"); v != "" {
		if u, err := url.Parse(v); err != nil || !u.IsAbs() {
			e.wrong("dataschema", "must be an absolute URI")
		}
	}
	if v := e.optional("datacontenttype"); v != "" {
		if media, _, err := mime.ParseMediaType(v); err != nil || media != events.JSON {
			e.wrong("datacontenttype", "must be "+events.JSON)
		}
	}
	sub := Submission{
		Body: e.data.Bytes, Parts: e.data.Parts, PartsID: e.data.PartsID, at: e.at, FallbackID: eventRequestID(source, id),
	}
	if v := e.optional("priority"); v != "" {
		if sub.Priority = events.Priority(v); !sub.Priority.Valid() {
			e.wrong("priority", "must be high, normal or low")
		}
	}
	if expiry, ok := e.moment("expirytime"); ok {
		if sub.Expiry = expiry.UTC().Round(time.Microsecond); !sub.Expiry.After(s.now()) {
			e.wrong("expirytime", "has passed: the request would not be begun")
		}
	}
	sub.TraceParent, sub.TraceState = traceContext(e.header("traceparent"), e.header("tracestate"))
	sub.Extra = e.extensions()
	sub.faults = e.faults
	return sub
}

// take returns an attribute as it came, nil for none, and takes it out.
func (e *envelope) take(name string) any {
	v := e.attributes[name]
	delete(e.attributes, name)
	return v
}

// required takes an attribute of type String that must be there, and returns "" if it is not as it must be.
func (e *envelope) required(name string) string {
	if e.attributes[name] == nil {
		e.wrong(name, "is required")
	}
	return e.optional(name)
}

// optional takes an attribute of type String, and returns "" if it is absent or is not as it must be. In JSON null is absent
// (CloudEvents JSON format 1.0.2, section 2.2).
func (e *envelope) optional(name string) string {
	switch v := e.take(name).(type) {
	case nil:
	case string:
		switch {
		case strings.TrimSpace(v) == "":
			e.wrong(name, "must not be empty")
		case strings.ContainsFunc(v, notText):
			e.wrong(name, "has a control character, which no attribute may have")
		default:
			return v
		}
	default:
		e.wrong(name, "must be a string")
	}
	return ""
}

// moment takes an attribute of type Timestamp, and reports whether it is there and is one.
func (e *envelope) moment(name string) (time.Time, bool) {
	v := e.optional(name)
	if v == "" {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		e.wrong(name, "must be an RFC 3339 time, such as 2006-01-02T15:04:05Z")
	}
	return t, err == nil
}

// header takes an attribute that has the value of an HTTP header, as lines of that header. Whether it can be read is not
// asked here: a bad trace is no ground to refuse a request.
func (e *envelope) header(name string) []string {
	switch v := e.take(name).(type) {
	case nil:
		return nil
	case string:
		return []string{v}
	default:
		e.wrong(name, "must be a string")
		return nil
	}
}

// extensions returns the attributes that are left, to carry along within their bounds.
func (e *envelope) extensions() map[string]any {
	maps.DeleteFunc(e.attributes, func(_ string, v any) bool { return v == nil })
	if len(e.attributes) == 0 {
		return nil
	}
	extra := make(map[string]any, len(e.attributes))
	size := 0
	for i, name := range slices.Sorted(maps.Keys(e.attributes)) {
		value, wrong := extension(e.attributes[name])
		if text, ok := value.(string); ok && !e.structured {
			value = percentDecoded(text)
		}
		text, before := events.Text(value), size
		size += len(name) + len(text)
		wrong = cmp.Or(nameFault(name), wrong)
		switch {
		case wrong != "":
		case i == maxExtensions:
			wrong = fmt.Sprintf("is one extension too many: %d are carried", maxExtensions)
		case size > maxExtensionBytes && before <= maxExtensionBytes:
			wrong = fmt.Sprintf("makes the extensions more than %d bytes together", maxExtensionBytes)
		case strings.ContainsFunc(text, notText):
			wrong = "has a control character, which no attribute may have"
		}
		if wrong != "" {
			e.wrong(name, wrong)
		}
		extra[name] = value
	}
	return extra
}

// nameFault returns why an extension cannot have the name, or "".
func nameFault(name string) string {
	switch {
	case name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "":
		return "is no name of an attribute: it must be of a-z and 0-9"
	case len(name) > maxExtensionName:
		return fmt.Sprintf("has a name of more than %d characters", maxExtensionName)
	case name == "data":
		return "is no name of an attribute: the data is the body"
	case reserved(name):
		return "is set along the way, and cannot be given"
	default:
		return ""
	}
}

// extension returns the value of an extension as events have it, or what is wrong with it.
func extension(v any) (value any, wrong string) {
	switch v := v.(type) {
	case string, bool:
		return v, ""
	case float64:
		if v == math.Trunc(v) && v >= math.MinInt32 && v <= math.MaxInt32 {
			return int32(v), ""
		}
		return "", "must be a whole number of 32 bits"
	default:
		return "", "must be a string, a whole number, or true or false"
	}
}

// reserved reports whether the chain has a meaning of its own for an attribute.
func reserved(name string) bool {
	var probe events.Event
	_ = probe.SetAttribute(name, "") // only where the value lands is of interest
	_, landed := probe.Extra[name]
	return !landed
}

// notText reports what a CloudEvents String may not hold (CloudEvents 1.0, section 3.1).
func notText(c rune) bool { return c < ' ' || c >= 0x7f && c < 0xa0 || c == utf8.RuneError }

// percentDecoded undoes the encoding of header values (CloudEvents HTTP binding 1.0.2, section 3.1.3.2). Senders that do
// not encode, the official Go SDK among them, are taken at their word where that is no encoding.
func percentDecoded(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	if decoded, err := url.PathUnescape(s); err == nil && utf8.ValidString(decoded) {
		return decoded
	}
	return s
}
