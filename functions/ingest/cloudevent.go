package ingest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"baton.dev/baton/internal/problem"
)

// Media types of the CloudEvents HTTP binding.
const (
	structuredJSON = "application/cloudevents+json"
	batchJSON      = "application/cloudevents-batch+json"
)

// postEvent answers POST /v1/events: a CloudEvent of type requested, in binary or structured mode, whose data goes through
// the same door as a request that is posted by itself.
//
// The event's source and id name the request where its data has no request_id. Its subject, time and dataschema say
// nothing here: the chain sets its own.
func (s *Server) postEvent(x *exchange, r *http.Request) *problem.Problem {
	mode, p := eventMode(r)
	if p != nil {
		return p
	}
	body, p := readBody(x, r, bodyLimit(x.catalog))
	if p != nil {
		return p
	}
	ce, p := mode.read(r, body)
	if p != nil {
		return p
	}
	sub, faults := s.fromEvent(ce, mode)
	if len(faults) > 0 {
		return mode.problem(faults)
	}
	if sub.traceParent == "" {
		sub.traceParent, sub.traceState = traceContext(r.Header["Traceparent"], r.Header["Tracestate"])
	}
	return s.take(x, r, sub)
}

// mode is how an event stands in an HTTP request.
type mode struct{ structured bool }

// eventMode tells the mode by the content type.
func eventMode(r *http.Request) (mode, *problem.Problem) {
	typ, p := mediaType(r)
	if p != nil {
		return mode{}, p
	}
	switch {
	case typ == structuredJSON:
		return mode{structured: true}, wantPlain(r)
	case typ == batchJSON:
		return mode{}, unsupported("Batches of events are not taken yet: send each event by itself.")
	case strings.HasPrefix(typ, "application/cloudevents"):
		return mode{}, unsupported(fmt.Sprintf("The event format %q is not taken: send %s, or binary mode.", typ, structuredJSON))
	default:
		return mode{}, wantJSON(r)
	}
}

// read returns the event that the official SDK reads from the request, after a look at what that would take amiss: members
// given twice, numbers cut off, a data_base64 that is no string, a header that is a bare Ce-.
func (m mode) read(r *http.Request, body []byte) (*cloudevents.Event, *problem.Problem) {
	var faults []attributeFault
	if m.structured {
		doc, p := readDocument(body)
		if p != nil {
			return nil, p
		}
		faults = envelopeFaults(doc.value)
	} else {
		faults = headerFaults(r.Header)
	}
	if len(faults) > 0 {
		return nil, m.problem(faults)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	ce, err := binding.ToEvent(r.Context(), cehttp.NewMessageFromHttpRequest(r))
	if err != nil {
		return nil, problem.New(problem.Invalid, "The request is no valid CloudEvent: "+oneLine(err)+".")
	}
	return ce, nil
}

// at returns the pointer to the event's data in what was sent.
func (m mode) at(ce *cloudevents.Event) string {
	switch {
	case !m.structured:
		return ""
	case ce.DataBase64:
		return "/data_base64"
	default:
		return "/data"
	}
}

// attributeFault says what is wrong with an attribute of an event.
type attributeFault struct{ name, detail string }

// problem is the problem of an event with faults. In structured mode attributes are members of the body, and there is a
// pointer to each; in binary mode they are headers, and the detail names them.
func (m mode) problem(faults []attributeFault) *problem.Problem {
	if m.structured {
		fields := make([]problem.FieldError, len(faults))
		for i, f := range faults {
			fields[i] = problem.FieldError{Pointer: "/" + escape(f.name), Detail: f.detail}
		}
		return invalid(tidy(fields))
	}
	said := make([]string, len(faults))
	for i, f := range faults {
		name := "ce-" + f.name
		if f.name == "datacontenttype" {
			name = "Content-Type"
		}
		said[i] = "The header " + name + " " + f.detail + "."
	}
	return problem.New(problem.Invalid, strings.Join(said, " "))
}

// oneLine returns what an error of the SDK says, which may have a line for each attribute.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(c rune) bool { return c == '\n' || c == '\r' }), "; ")
}
