package ingest

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"baton.dev/baton/events"
)

// Bounds of the extensions that are carried along without being understood: each is a header of every message of the
// request's way, and brokers bound those (NATS to some kilobytes by default, SQS to ten attributes beside the body).
const (
	maxExtensions     = 16
	maxExtensionName  = 20 // CloudEvents 1.0, section 3: names should not be longer
	maxExtensionBytes = 4 << 10
)

// fromEvent returns what an event submits, or what is wrong with its attributes.
func (s *Server) fromEvent(ce *cloudevents.Event, m mode) (submission, []attributeFault) {
	var faults []attributeFault
	wrong := func(name, format string, args ...any) {
		faults = append(faults, attributeFault{name, fmt.Sprintf(format, args...)})
	}
	if invalid, ok := errors.AsType[cloudevents.ValidationError](ce.Validate()); ok {
		for _, name := range slices.Sorted(maps.Keys(invalid)) {
			wrong(name, "is not valid: %s", oneLine(invalid[name]))
		}
	}
	if ce.Type() != string(events.Requested) {
		wrong("type", "must be %q", events.Requested)
	}
	if typ := ce.DataContentType(); typ != "" {
		if media, _, err := mime.ParseMediaType(typ); err != nil || media != events.JSON {
			wrong("datacontenttype", "must be %s", events.JSON)
		}
	}
	sub := submission{body: ce.Data(), at: m.at(ce), fallbackID: eventRequestID(ce.Source(), ce.ID())}
	extensions := ce.Extensions()
	if given, ok := extensions["priority"]; ok {
		if sub.priority = events.Priority(attributeText(given)); !sub.priority.Valid() {
			wrong("priority", "must be high, normal or low")
		}
	}
	if given, ok := extensions["expirytime"]; ok {
		expiry, err := types.ToTime(given)
		switch {
		case err != nil:
			wrong("expirytime", "must be an RFC 3339 time")
		case !expiry.After(s.now()):
			wrong("expirytime", "has passed: the request would not be begun")
		default:
			sub.expiry = expiry.UTC().Round(time.Microsecond)
		}
	}
	if given, ok := extensions["traceparent"]; ok {
		state := attributeText(extensions["tracestate"])
		sub.traceParent, sub.traceState = traceContext([]string{attributeText(given)}, []string{state})
	}
	for _, name := range []string{"priority", "expirytime", "traceparent", "tracestate"} {
		delete(extensions, name)
	}
	sub.extra = carried(extensions, m, wrong)
	return sub, faults
}

// carried returns the extensions to carry along, within their bounds.
func carried(extensions map[string]any, m mode, wrong func(name, format string, args ...any)) map[string]any {
	if len(extensions) == 0 {
		return nil
	}
	extra := make(map[string]any, len(extensions))
	size := 0
	for i, name := range slices.Sorted(maps.Keys(extensions)) {
		value := extensions[name]
		switch value.(type) {
		case string, bool, int32:
		default: // a type that JSON and headers have no form for but text
			value = attributeText(value)
		}
		if text, ok := value.(string); ok && !m.structured {
			value = percentDecoded(text)
		}
		size += len(name) + len(events.Text(value))
		switch {
		case len(name) > maxExtensionName:
			wrong(name, "has a name of more than %d characters", maxExtensionName)
		case reserved(name):
			wrong(name, "is set along the way, and cannot be given")
		case i == maxExtensions:
			wrong(name, "is one extension too many: %d are carried", maxExtensions)
		case size > maxExtensionBytes && size-len(name)-len(events.Text(value)) <= maxExtensionBytes:
			wrong(name, "makes the extensions more than %d bytes together", maxExtensionBytes)
		case strings.ContainsFunc(events.Text(value), notText):
			wrong(name, "has a control character, which no attribute may have")
		default:
			extra[name] = value
		}
	}
	return extra
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

// attributeText returns an attribute's value in its canonical text, "" for none.
func attributeText(v any) string {
	if v == nil {
		return ""
	}
	s, err := types.Format(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return s
}

// headerFaults returns what is wrong with the attributes of an event in binary mode, before it is read.
func headerFaults(h http.Header) []attributeFault {
	var faults []attributeFault
	if v := h.Get("Ce-Specversion"); v != events.SpecVersion {
		faults = append(faults, attributeFault{"specversion", "must be " + events.SpecVersion})
	}
	for _, header := range slices.Sorted(maps.Keys(h)) {
		name, ok := strings.CutPrefix(header, "Ce-")
		switch {
		case !ok:
		case name == "":
			faults = append(faults, attributeFault{"", "names no attribute"})
		case len(h[header]) > 1:
			faults = append(faults, attributeFault{strings.ToLower(name), "is given twice: give it once"})
		}
	}
	return faults
}

// envelopeFaults returns what is wrong with the attributes of an event in structured mode, before it is read.
func envelopeFaults(value any) []attributeFault {
	envelope, ok := value.(map[string]any)
	if !ok {
		return []attributeFault{{"", "must be an object"}}
	}
	var faults []attributeFault
	wrong := func(name, detail string) { faults = append(faults, attributeFault{name, detail}) }
	if v, ok := envelope["specversion"].(string); !ok || v != events.SpecVersion {
		wrong("specversion", `must be "`+events.SpecVersion+`"`)
	}
	for _, name := range []string{"id", "source", "type"} {
		if v, ok := envelope[name].(string); !ok || strings.TrimSpace(v) == "" {
			wrong(name, "is required, and must be a string that is not empty")
		}
	}
	for name, v := range envelope {
		switch name {
		case "specversion", "id", "source", "type", "data":
		case "subject", "time", "datacontenttype", "dataschema":
			if s, ok := v.(string); !ok || s == "" {
				wrong(name, "must be a string that is not empty")
			}
		case "data_base64":
			if _, ok := v.(string); !ok {
				wrong(name, "must be a string")
			}
			if _, both := envelope["data"]; both {
				wrong(name, "must not be given together with data")
			}
		default:
			if detail := extensionFault(name, v); detail != "" {
				wrong(name, detail)
			}
		}
	}
	return faults
}

// extensionFault returns what is wrong with an extension in JSON, or "".
func extensionFault(name string, v any) string {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return "is no name of an attribute: it must be of a-z and 0-9"
	}
	switch v := v.(type) {
	case nil, string, bool:
		return ""
	case float64:
		if v == math.Trunc(v) && v >= math.MinInt32 && v <= math.MaxInt32 {
			return ""
		}
		return "must be a whole number of 32 bits"
	default:
		return "must be a string, a whole number, or true or false"
	}
}
