package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/problem"
)

// Body is a request's body as a door reads it. It goes into a [Submission] as it is; a door that does not submit it hands it
// to [Server.Discard].
type Body struct {
	Bytes   []byte // with references in the place of what was taken out
	Parts   int    // what was taken out, and is in the object store
	PartsID string
}

// defaultInline is the contract's limit of a part that stays where it is, for a catalog made without one.
const defaultInline = 64 << 10

// partsSlack is how much longer a body may say it is than all that may be in it, for escapes.
const partsSlack = 1 << 20

// ReadBody reads a JSON body of the caller's, bounded by the limits of the configuration. Its large parts go into the object
// store as they come, and references to them stand in their place: the body that is left is what the request is, and what is
// compared when it is repeated. Where there is no object store, where no part may go there, and where the body says that it is
// too short to have one, it is read as it is.
//
// A body with parts that is refused, or that repeats a request that is under way, leaves objects: see [Server.Submit].
func (s *Server) ReadBody(x *Exchange, r *http.Request) (Body, *problem.Problem) {
	limit := bodyLimit(x.Catalog)
	if r.ContentLength >= 0 && r.ContentLength <= inlineLimit(x.Catalog) || !s.takes(x.Catalog) {
		body, p := readBody(x, r, limit)
		return Body{Bytes: body}, p
	}
	if most := mostWithParts(x.Catalog); r.ContentLength > most {
		return Body{}, tooLarge(most).With("Connection", "close")
	}
	x.TakeTime()
	body, p := s.takeParts(r.Context(), x.Catalog, r.Body, longest(mostWithParts(x.Catalog)))
	if p != nil {
		p = p.With("Connection", "close") // the body was not read to its end
	}
	return body, p
}

// TakeBody does for a JSON body that is in memory what [Server.ReadBody] does for one that is read, within the same bounds: so
// a request is the same by whichever door it comes. The given bytes are left as they are.
func (s *Server) TakeBody(ctx context.Context, c *Caller, body []byte) (Body, *problem.Problem) {
	limit := bodyLimit(c.Catalog)
	switch n := int64(len(body)); {
	case n <= inlineLimit(c.Catalog) && n <= limit:
		return Body{Bytes: body}, nil
	case s.takes(c.Catalog):
		return s.takeParts(ctx, c.Catalog, bytes.NewReader(body), 0)
	case n > limit:
		return Body{}, tooLarge(limit)
	default:
		return Body{Bytes: body}, nil
	}
}

// takes reports whether parts are taken out of bodies.
func (s *Server) takes(c *catalog.Catalog) bool { return s.cfg.Objects != nil && c.Limits.Part > 0 }

// takeParts reads a body to its end, for so long at most, and takes its large parts out of it.
func (s *Server) takeParts(
	ctx context.Context, c *catalog.Catalog, from io.Reader, atMost time.Duration,
) (Body, *problem.Problem) {
	limits := attachments.Limits{Inline: inlineLimit(c), Part: c.Limits.Part, Body: bodyLimit(c)}
	taken, err := attachments.Take(ctx, s.cfg.Objects, from, limits, s.now().Add(atMost+maxDeadline+partsGrace))
	if err != nil {
		return Body{}, s.untaken(err, limits.Body)
	}
	return Body{Bytes: taken.Body, Parts: taken.Parts, PartsID: taken.PartsID}, nil
}

// mostWithParts is how long a body may say it is: all that may be left of it, and all that may be in it.
func mostWithParts(c *catalog.Catalog) int64 {
	return bodyLimit(c) + 4*(c.Limits.Part/3*4) + partsSlack
}

func inlineLimit(c *catalog.Catalog) int64 {
	if c.Limits.Inline > 0 {
		return c.Limits.Inline
	}
	return defaultInline
}

// untaken is the problem of a body that could not be taken in.
func (s *Server) untaken(err error, limit int64) *problem.Problem {
	fault, ok := errors.AsType[*attachments.Fault](err)
	if !ok {
		if unreadable, ok := errors.AsType[*attachments.ReadError](err); ok {
			return unread(unreadable.Unwrap(), limit)
		}
		return s.unavailable("part", "", err)
	}
	field := problem.FieldError{Pointer: fault.Pointer, Detail: fault.Detail}
	switch {
	case fault.Kind == attachments.TooLarge && fault.Pointer == "":
		return problem.New(problem.TooLarge, fault.Detail)
	case fault.Kind == attachments.TooLarge:
		return problem.New(problem.TooLarge, "A part of the body is too large; see errors.", field)
	case fault.Kind == attachments.Malformed:
		return problem.New(problem.Malformed, "The body is not JSON; see errors.", field)
	default:
		return invalid([]problem.FieldError{field})
	}
}

// Discard removes what was taken out of a body that is not submitted. What it cannot remove expires.
func (s *Server) Discard(ctx context.Context, b Body) { s.discard(ctx, b.PartsID, b.Parts) }

func (s *Server) discard(ctx context.Context, partsID string, parts int) {
	if err := attachments.Discard(ctx, s.cfg.Objects, partsID, parts); err != nil {
		s.cfg.Log.Warn("parts are left to expire", "parts_id", partsID, "error", err)
	}
}

// references returns what is wrong with what a request's messages refer to. The schema lets references through, and cannot
// tell ours from a caller's: a part is what was taken out of this very body.
func (s *Server) references(request map[string]any, sub Submission) []problem.FieldError {
	var faults []problem.FieldError
	wrong := func(at, detail string) { faults = append(faults, problem.FieldError{Pointer: at, Detail: detail}) }
	look := func(at string, value any, files bool) {
		given, _ := value.(string)
		if strings.HasPrefix(given, attachments.PartPrefix) {
			if ref, err := attachments.ParseReference(given); err != nil || ref.N >= sub.Parts {
				wrong(at, "must not begin with "+attachments.PartPrefix+", which is Baton's own")
			}
		}
		if id, ok := strings.CutPrefix(given, attachments.FilePrefix); ok && files {
			if detail := s.fileFault(id); detail != "" {
				wrong(at, detail)
			}
		}
	}
	eachPart(request, func(at string, part map[string]any) {
		if image, ok := part["image_url"].(map[string]any); ok {
			look(at+"/image_url/url", image["url"], true)
		}
		if audio, ok := part["input_audio"].(map[string]any); ok {
			look(at+"/input_audio/data", audio["data"], false)
		}
		if file, ok := part["file"].(map[string]any); ok {
			look(at+"/file/file_data", file["file_data"], false)
			if id, ok := file["file_id"].(string); ok {
				if detail := s.fileFault(id); detail != "" {
					wrong(at+"/file/file_id", detail)
				}
			}
		}
	})
	return faults
}

// fileFault says why no file can be meant, or "". Whether there is one is looked at when it is needed.
func (s *Server) fileFault(id string) string {
	switch {
	case s.cfg.Objects == nil:
		return "cannot be used: no files are kept here"
	case !attachments.ValidFileID(id):
		return "must name a file by its id, such as file-abc123"
	default:
		return ""
	}
}

// eachPart calls do for every part of the request's messages that is one, with the pointer to it.
func eachPart(request map[string]any, do func(at string, part map[string]any)) {
	messages, _ := request["messages"].([]any)
	for i, m := range messages {
		message, _ := m.(map[string]any)
		parts, _ := message["content"].([]any)
		for j, p := range parts {
			if part, ok := p.(map[string]any); ok {
				do(fmt.Sprintf("/messages/%d/content/%d", i, j), part)
			}
		}
	}
}
