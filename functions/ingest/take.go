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

	"baton.dev/baton/events"
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
	if p := s.Paced(ctx, c); p != nil {
		return rc, p
	}
	media, p := a.media()
	if p != nil {
		return rc, p
	}
	body, p := s.TakeBody(ctx, c, a.Data)
	if p != nil {
		return rc, p
	}
	sub := Submission{
		Body: body.Bytes, Parts: body.Parts, PartsID: body.PartsID, FallbackID: uuid.NewSHA1(arrivals, []byte(a.ID)).String(),
	}
	switch {
	case media == structuredJSON, len(a.Attributes) == 0 && isStructured(body.Bytes):
		e, p := s.structured(ctx, c, body)
		if p != nil {
			return rc, p
		}
		sub = s.fromEvent(e)
	case len(a.Attributes) > 0:
		sub = s.fromEvent(attributeEnvelope(a.Attributes, body))
	}
	if sub.TraceParent == "" && a.TraceParent != "" {
		sub.TraceParent, sub.TraceState = traceContext([]string{a.TraceParent}, []string{a.TraceState})
	}
	return s.Submit(ctx, c, sub)
}

// Paced is the problem of a tenant that submits faster than its rate, or nil: then one request more counts.
func (s *Server) Paced(ctx context.Context, c *Caller) *problem.Problem {
	if s.cfg.Limit == nil {
		return nil
	}
	if answer, counted := s.cfg.Limit.Take(ctx, c.Tenant); counted && !answer.Allowed {
		return problem.New(problem.RateLimited, "The tenant's requests come faster than its rate allows.").
			With("Retry-After", answer.RetryAfter())
	}
	return nil
}

// media returns the media type of the data, one of those that are taken.
func (a Arrival) media() (string, *problem.Problem) {
	if a.ContentType == "" {
		return events.JSON, nil
	}
	media, params, err := mime.ParseMediaType(a.ContentType)
	if err != nil {
		return "", problem.New(problem.UnsupportedMediaType, "The content type cannot be read.")
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return "", problem.New(problem.UnsupportedMediaType, fmt.Sprintf("The charset %q is not taken: JSON is UTF-8.", charset))
	}
	if media != structuredJSON && media != events.JSON {
		return "", problem.New(problem.UnsupportedMediaType,
			fmt.Sprintf("The content type %q is not taken here: send application/json, or %s.", media, structuredJSON))
	}
	return media, nil
}

// isStructured reports whether JSON is an event in structured mode that does not say so, as the official SDK writes them to
// NATS. A request by itself has no specversion: the schema refuses one.
func isStructured(data []byte) bool {
	if !bytes.Contains(data, []byte(`"specversion"`)) {
		return false
	}
	doc, p := readDocument(data)
	if p != nil {
		return false
	}
	object, _ := doc.value.(map[string]any)
	_, ok := object["specversion"]
	return ok
}

// attributeEnvelope returns the event whose attributes came beside its data.
func attributeEnvelope(attributes map[string]string, data Body) *envelope {
	e := &envelope{attributes: map[string]any{}, data: data}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		e.attributes[name] = attributes[name]
	}
	return e
}
