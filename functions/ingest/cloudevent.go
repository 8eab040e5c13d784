package ingest

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"baton.dev/baton/internal/problem"
)

// Media types of the CloudEvents HTTP binding.
const (
	structuredJSON = "application/cloudevents+json"
	batchJSON      = "application/cloudevents-batch+json"
)

// postEvent answers POST /v1/events: a CloudEvent of type requested, in binary or structured mode, whose data goes through
// the same door as a request that is posted by itself; or a batch of them.
//
// The event's source and id name the request where its data has no request_id; an Idempotency-Key is not looked at. Its
// subject, time and dataschema say nothing here: the chain sets its own.
func (s *Server) postEvent(x *Exchange, r *http.Request) *problem.Problem {
	if p := noWait(r); p != nil {
		return p
	}
	mode, p := eventMode(r)
	switch {
	case p != nil:
		return p
	case mode == batchJSON:
		return s.postBatch(x, r)
	}
	body, p := s.ReadBody(x, r)
	if p != nil {
		return p
	}
	e := binaryEnvelope(r.Header, body)
	if mode == structuredJSON {
		if e, p = s.structured(r.Context(), &x.Caller, body); p != nil {
			return p
		}
	}
	sub := s.fromEvent(e)
	if sub.TraceParent == "" {
		sub.TraceParent, sub.TraceState = traceContext(r.Header["Traceparent"], r.Header["Tracestate"])
	}
	return s.take(x, r, sub)
}

// eventMode returns the media type that says the event's mode: structuredJSON, batchJSON, or "" for binary mode.
func eventMode(r *http.Request) (mode string, _ *problem.Problem) {
	typ, p := mediaType(r)
	if p != nil {
		return "", p
	}
	switch {
	case typ == structuredJSON, typ == batchJSON:
		return typ, wantPlain(r)
	case strings.HasPrefix(typ, "application/cloudevents"):
		return "", unsupported(fmt.Sprintf("The event format %q is not taken: send %s, or binary mode.", typ, structuredJSON))
	default:
		return "", wantJSON(r)
	}
}

// envelope is an event taken apart, in either mode.
//
// It is not the official SDK that takes it apart: that one stops at the first fault, in the words of its JSON decoder and
// with a piece of the body, drops a dataschema it cannot read, and takes no data_base64 with an escaped slash in it, as some
// encoders write. The tests hold that what is taken here is the event that the SDK reads.
type envelope struct {
	structured bool
	attributes map[string]any // as they came: of any type of JSON in structured mode, else strings
	data       Body           // the request; nil bytes if there is none to be read
	at         string         // the pointer to the data in the body
	faults     []problem.FieldError
}

// wrong notes what is wrong with an attribute.
func (e *envelope) wrong(name, detail string) {
	fault := problem.FieldError{Detail: detail}
	if e.structured {
		fault.Pointer = "/" + escape(name)
	} else {
		fault.Header = "ce-" + name
	}
	e.faults = append(e.faults, fault)
}

// binaryEnvelope returns the event whose attributes are headers, and whose data is the body.
func binaryEnvelope(h http.Header, body Body) *envelope {
	e := &envelope{attributes: map[string]any{}, data: body}
	for _, header := range slices.Sorted(maps.Keys(h)) {
		name, ok := strings.CutPrefix(header, "Ce-")
		if !ok {
			continue
		}
		name = strings.ToLower(name)
		switch {
		case name == "datacontenttype":
			e.wrong(name, "must not be given: the header Content-Type says it")
			continue
		case len(h[header]) > 1:
			e.wrong(name, "is given twice: give it once")
		}
		e.attributes[name] = h[header][0]
	}
	return e
}

// structured returns the event that a body in structured mode is, of which parts were taken out where its data is JSON as it
// is. They are taken out of data in base64 here: the request is the same in either, and by itself. What is refused leaves
// nothing.
func (s *Server) structured(ctx context.Context, c *Caller, body Body) (*envelope, *problem.Problem) {
	e, p := structuredEnvelope(body.Bytes)
	switch {
	case p != nil:
		s.Discard(ctx, body)
		return nil, p
	case e.at == encodedData:
		s.Discard(ctx, body) // it has no data that parts were taken out of
		if e.data, p = s.TakeBody(ctx, c, e.data.Bytes); p != nil {
			return nil, within(e.at, p)
		}
	default: // without data, they are discarded with what is wrong
		e.data.Parts, e.data.PartsID = body.Parts, body.PartsID
	}
	return e, nil
}

// encodedData is the pointer to data in base64.
const encodedData = "/data_base64"

// structuredEnvelope returns the event whose attributes and data are members of the body.
func structuredEnvelope(body []byte) (*envelope, *problem.Problem) {
	doc, p := readDocument(body)
	if p != nil {
		return nil, p
	}
	object, ok := doc.value.(map[string]any)
	if !ok {
		return nil, invalid([]problem.FieldError{{Detail: "must be an object: the event, with the request as its data"}})
	}
	e := &envelope{structured: true, attributes: object, faults: doc.faults}
	encoded, isEncoded := object["data_base64"]
	_, isThere := object["data"]
	switch {
	case isThere:
		if isEncoded {
			e.wrong("data_base64", "must not be given together with data")
		}
		e.data.Bytes, e.at = unpack(body)["data"], "/data"
	case isEncoded:
		e.data.Bytes, e.at = e.decoded(encoded), encodedData
	default:
		e.wrong("data", "is required: it is the request")
	}
	delete(object, "data")
	delete(object, "data_base64")
	return e, nil
}

// decoded returns what stands in data_base64.
func (e *envelope) decoded(given any) []byte {
	text, ok := given.(string)
	if !ok {
		e.wrong("data_base64", "must be a string")
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		e.wrong("data_base64", "must be base64 (RFC 4648, section 4), padding included")
		return nil
	}
	return data
}
