package ingest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strings"

	"github.com/google/uuid"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/problem"
)

// Arrival is a message that came in by another door than HTTP: a CloudEvent in binary mode, if it has attributes; else one
// in structured mode, or a request by itself.
type Arrival struct {
	// ID is what the message is called where it came from, the same each time it is handed out and of no other. It names the
	// request where nothing in the message does, so that the message is one request however often it comes.
	ID string
	// ContentType of the data. Empty: JSON, of which an object with a specversion is an event.
	ContentType string
	Attributes  map[string]string // of a CloudEvent in binary mode, by name, with no encoding left; nil: it is in none
	Data        []byte

	TraceParent, TraceState string // W3C trace context beside the message; an event's own goes before
}

// arrivals is the namespace (RFC 9562, section 5.5) of the ids of requests that are named by their message. It must never
// change.
var arrivals = uuid.MustParse("0c6d1d52-6f0c-5b0e-9f55-0d6f0d7c7a03")

// TakeEvent takes in a request of the tenant by another door than HTTP: held against the same rate and checked as [Server.Submit]
// does. Once it returns without a problem the request is stored, and the message may be forgotten where it came from. A
// problem of status 429 or 5xx may pass, and its Retry-After says when; with any other the message will never be taken.
// It does not panic.
func (s *Server) TakeEvent(ctx context.Context, tenant *catalog.Tenant, a Arrival) (rc Receipt, p *problem.Problem) {
	c := &Caller{Catalog: s.cfg.Catalog(), Tenant: tenant}
	defer s.recovered(c, &p)
	if p := s.paced(ctx, c); p != nil {
		return rc, p
	}
	if limit := bodyLimit(c.Catalog); int64(len(a.Data)) > limit {
		return rc, tooLarge(limit)
	}
	e, p := a.envelope()
	if p != nil {
		return rc, p
	}
	sub := Submission{Body: a.Data, FallbackID: uuid.NewSHA1(arrivals, []byte(a.ID)).String()}
	if e != nil {
		sub = s.fromEvent(e)
	}
	if sub.TraceParent == "" && a.TraceParent != "" {
		sub.TraceParent, sub.TraceState = traceContext([]string{a.TraceParent}, []string{a.TraceState})
	}
	return s.Submit(ctx, c, sub)
}

// paced is the problem of a tenant that submits faster than its rate, or nil.
func (s *Server) paced(ctx context.Context, c *Caller) *problem.Problem {
	if s.cfg.Limit == nil {
		return nil
	}
	if answer, counted := s.cfg.Limit.Take(ctx, c.Tenant); counted && !answer.Allowed {
		return problem.New(problem.RateLimited, "The tenant's requests come faster than its rate allows.").
			With("Retry-After", answer.RetryAfter())
	}
	return nil
}

// envelope returns the event that arrived; nil: a request by itself.
func (a Arrival) envelope() (*envelope, *problem.Problem) {
	media := ""
	if a.ContentType != "" {
		var params map[string]string
		var err error
		if media, params, err = mime.ParseMediaType(a.ContentType); err != nil {
			return nil, problem.New(problem.UnsupportedMediaType, "The content type cannot be read.")
		}
		if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
			return nil, problem.New(problem.UnsupportedMediaType, fmt.Sprintf("The charset %q is not taken: JSON is UTF-8.", charset))
		}
	}
	switch {
	case media == structuredJSON:
		return structuredEnvelope(a.Data)
	case media != "" && media != "application/json":
		return nil, problem.New(problem.UnsupportedMediaType,
			fmt.Sprintf("The content type %q is not taken here: send application/json, or %s.", media, structuredJSON))
	case len(a.Attributes) > 0:
		return attributeEnvelope(a.Attributes, a.Data), nil
	case a.isStructured():
		return structuredEnvelope(a.Data)
	default:
		return nil, nil
	}
}

// isStructured reports whether the data is an event in structured mode that does not say so, as the official SDK writes them
// to NATS. A request by itself has no specversion: the schema refuses one.
func (a Arrival) isStructured() bool {
	if !bytes.Contains(a.Data, []byte(`"specversion"`)) {
		return false
	}
	doc, p := readDocument(a.Data)
	if p != nil {
		return false
	}
	object, _ := doc.value.(map[string]any)
	_, ok := object["specversion"]
	return ok
}

// attributeEnvelope returns the event whose attributes came beside its data.
func attributeEnvelope(attributes map[string]string, data []byte) *envelope {
	e := &envelope{attributes: map[string]any{}, data: data}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		e.attributes[name] = attributes[name]
	}
	return e
}
