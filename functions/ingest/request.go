package ingest

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/egress"
	"baton.dev/baton/internal/problem"
)

// submission is a request as every door brings it.
type submission struct {
	body []byte // the request in the unified schema, as the caller sent it
	at   string // the pointer to the body in what was sent: "" where it is all of it

	fallbackID  string // the request_id of a body that has none; "" makes a new one
	priority    events.Priority
	expiry      time.Time // the deadline by the sender's clock, not past; zero where there is none
	traceParent string
	traceState  string
	extra       map[string]any
}

// check reads the submitted body and returns it with the fields that ingest decides by. Everything that is wrong is said at
// once: first what no key could mend, and if there is nothing, what this key may not do.
func (s *Server) check(x *exchange, sub submission) (document, events.Request, *problem.Problem) {
	var req events.Request
	doc, p := readDocument(sub.body)
	if p != nil {
		return doc, req, within(sub.at, p)
	}
	object, _ := doc.value.(map[string]any)
	req.RequestID, _ = object["request_id"].(string)
	req.ModelID, _ = object["model_id"].(string)
	req.CallbackURL, _ = object["callback_url"].(string)
	req.DeadlineSeconds, _ = object["deadline_seconds"].(float64)
	if given, ok := object["priority"].(string); ok {
		req.Priority = events.Priority(given)
	}
	faults := doc.faults // what is said here goes before what the schema says of the same field
	if req.ModelID != "" && x.catalog.Models[req.ModelID] == nil {
		faults = append(faults, problem.FieldError{
			Pointer: "/model_id", Detail: "names no model there is; GET /v1/models lists those this key may use",
		})
	}
	host := ""
	if req.CallbackURL != "" {
		var wrong string
		if host, wrong = s.callbackHost(req.CallbackURL); wrong == "" && len(x.tenant.Secrets) == 0 {
			wrong = "cannot be used: there is no secret to sign this key's callbacks with; leave it out and poll for the result"
		}
		if wrong != "" {
			faults = append(faults, problem.FieldError{Pointer: "/callback_url", Detail: wrong})
		}
	}
	faults = append(faults, validate(s.schema, doc.value)...)
	if len(faults) > 0 {
		return doc, req, within(sub.at, invalid(tidy(faults)))
	}
	return doc, req, within(sub.at, mayNot(x, req.ModelID, host))
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
func mayNot(x *exchange, modelID, callbackHost string) *problem.Problem {
	var denied []problem.FieldError
	if callbackHost != "" && !x.tenant.MayCallBack(callbackHost) {
		denied = append(denied, problem.FieldError{
			Pointer: "/callback_url", Detail: "names a host that this key's callbacks may not go to",
		})
	}
	if !x.tenant.MayUse(modelID) {
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
	if p != nil && at != "" {
		for i := range p.Errors {
			p.Errors[i].Pointer = at + p.Errors[i].Pointer
		}
	}
	return p
}

// callbackHost returns the host of a callback URL, or what is wrong with the URL.
func (s *Server) callbackHost(raw string) (host, wrong string) {
	for _, c := range []byte(raw) {
		// What RFC 3986 has no place for. It travels in headers, where such bytes would be read in more ways than one.
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>\^{|}`+"`", c) >= 0 {
			return "", "must be a URL of RFC 3986: percent-encode spaces, quotes and what is not ASCII"
		}
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || !u.IsAbs():
		return "", "must be an absolute URL"
	case u.Scheme != "https" && u.Scheme != "http":
		return "", "must be an https URL"
	case u.Opaque != "" || u.Hostname() == "":
		return "", "must name a host"
	case u.User != nil:
		return "", "must not hold credentials"
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return "", "must not have a fragment: it would not be sent"
	}
	if err := s.cfg.CheckCallback(u); err != nil {
		return "", blockedBecause(err)
	}
	return strings.ToLower(u.Hostname()), ""
}

// blockedBecause says why a callback URL is refused, without showing what is inside.
func blockedBecause(err error) string {
	blocked, ok := errors.AsType[*egress.BlockedError](err)
	switch {
	case !ok:
		return "is not allowed"
	case blocked.Reason == egress.ReasonScheme:
		return "must be an https URL"
	default:
		return fmt.Sprintf("names a host that callbacks may not go to: %q (%s)", blocked.Host, blocked.Reason)
	}
}
