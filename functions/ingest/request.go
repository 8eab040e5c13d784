package ingest

import (
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/problem"
)

// Submission is a request as every door brings it.
type Submission struct {
	Body []byte // the request in the unified schema, as the caller sent it

	FallbackID  string // the request_id of a body that has none; "" makes a new one
	Priority    events.Priority
	Expiry      time.Time // the deadline by the sender's clock, not past; zero where there is none
	TraceParent string
	TraceState  string
	Extra       map[string]any
	Fresh       bool // no answer that was kept will do

	// Parts and PartsID are what was taken out of the body and put into the object store; see [events.Event.Parts].
	Parts   int
	PartsID string

	// Note is kept with the acceptance, for the interface that took the request in; see [results.Acceptance].
	Note string

	at     string               // the pointer to the body in what was sent: "" where it is all of it
	faults []problem.FieldError // of what stands around the body; if there are any, it may be that there is no body
}

// Caller is whose request is taken in, and under which configuration.
type Caller struct {
	Catalog   *catalog.Catalog
	Tenant    *catalog.Tenant
	MessageID string // "" until it is known to be one
}

// check reads the submitted body and returns it with the fields that ingest decides by. Everything that is wrong is said at
// once: first what no key could mend, and if there is nothing, what this key may not do.
func (s *Server) check(c *Caller, sub Submission) (document, events.Request, *problem.Problem) {
	var req events.Request
	if sub.Body == nil && len(sub.faults) > 0 {
		return document{}, req, invalid(tidy(sub.faults))
	}
	doc, p := readDocument(sub.Body)
	if p != nil {
		p = within(sub.at, p)
		p.Errors = append(p.Errors, sub.faults...)
		return doc, req, p
	}
	object, _ := doc.value.(map[string]any)
	req.RequestID, _ = object["request_id"].(string)
	req.ModelID, _ = object["model_id"].(string)
	req.CallbackURL, _ = object["callback_url"].(string)
	req.Stream, _ = object["stream"].(bool)
	req.DeadlineSeconds, _ = object["deadline_seconds"].(float64)
	if given, ok := object["priority"].(string); ok {
		req.Priority = events.Priority(given)
	}
	faults := doc.faults // what is said here goes before what the schema says of the same field
	if req.ModelID != "" && c.Catalog.Models[req.ModelID] == nil {
		faults = append(faults, problem.FieldError{
			Pointer: "/model_id", Detail: "names no model there is; GET /v1/models lists those this key may use",
		})
	}
	receivers, wrong := s.receivers(c, object, &req)
	faults = append(faults, wrong...)
	faults = append(faults, s.references(object, sub)...)
	faults = append(faults, validate(s.schema, doc.value)...)
	moveTo(sub.at, faults)
	if faults = append(faults, sub.faults...); len(faults) > 0 {
		return doc, req, invalid(tidy(faults))
	}
	return doc, req, within(sub.at, mayNot(c, req.ModelID, receivers))
}

// invalid is the problem of a body with faults.
func invalid(faults []problem.FieldError) *problem.Problem {
	detail := "One field is not valid; see errors."
	switch n := len(faults); {
	case n > maxFaults:
		detail = fmt.Sprintf("%d fields are not valid; errors names the first %d.", n, maxFaults)
		faults = faults[:maxFaults]
	case n > 1:
		detail = fmt.Sprintf("%d fields are not valid; see errors.", n)
	}
	return problem.New(problem.Invalid, detail, faults...)
}

// mayNot is the problem of a valid request that names what its key may not use, or nil.
func mayNot(c *Caller, modelID string, receivers []receiver) *problem.Problem {
	var denied []problem.FieldError
	for _, to := range receivers {
		if detail := mayTell(c.Tenant, to); detail != "" {
			denied = append(denied, problem.FieldError{Pointer: to.pointer, Detail: detail})
		}
	}
	if !c.Tenant.MayUse(modelID) {
		denied = append(denied, problem.FieldError{
			Pointer: "/model_id", Detail: "names a model that this key may not use; GET /v1/models lists those it may",
		})
	}
	if denied == nil {
		return nil
	}
	return problem.New(problem.Forbidden, "The key may not use what the request names; see errors.", denied...)
}

// within moves the pointers of a problem to where the body stands in what was sent.
func within(at string, p *problem.Problem) *problem.Problem {
	if p != nil {
		moveTo(at, p.Errors)
	}
	return p
}

func moveTo(at string, faults []problem.FieldError) {
	if at == "" {
		return
	}
	for i := range faults {
		faults[i].Pointer = at + faults[i].Pointer
	}
}
