package ingest

import (
	"net/http"
	"slices"
	"strings"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/problem"
)

// handler answers one request, or returns the problem to answer with, having written nothing.
type handler func(x *exchange, r *http.Request) *problem.Problem

// route is what one path answers.
type route struct {
	pattern string // for logs: the path, with names in place of ids
	methods map[string]handler
	open    bool // to callers without a key
	submits bool // takes requests, which a tenant's rate is of
}

const requestPath = "/v1/inferences/" // and a message id

// routes is the one table of paths and methods.
//
// It is matched by hand rather than by http.ServeMux, because every answer here is a problem or JSON: the mux answers an
// unclean path with a redirect in HTML, and an unknown one or a wrong method in plain text.
func (s *Server) routes() (fixed map[string]route, request route) {
	get := func(h handler) map[string]handler { return map[string]handler{http.MethodGet: h} }
	post := func(h handler) map[string]handler { return map[string]handler{http.MethodPost: h} }
	fixed = map[string]route{}
	for _, r := range []route{
		{pattern: "/v1/inferences", methods: post(s.postRequest), submits: true},
		{pattern: "/async-infer", methods: post(s.postRequest), submits: true},
		{pattern: "/v1/events", methods: post(s.postEvent), submits: true},
		{pattern: "/v1/models", methods: get(s.getModels)},
		{pattern: "/healthz", methods: get(s.getHealth), open: true},
		{pattern: "/readyz", methods: get(s.getReady), open: true},
		{pattern: "/metrics", methods: get(s.getMetrics), open: true},
		{pattern: "/openapi.json", methods: get(s.getOpenAPI), open: true},
		{pattern: events.SchemaPath, methods: get(s.getRequestSchema), open: true},
		{pattern: events.ResultSchemaPath, methods: get(s.getResultSchema), open: true},
	} {
		fixed[r.pattern] = r
	}
	request = route{pattern: requestPath + "{message_id}", methods: map[string]handler{
		http.MethodGet:    s.getRequest,
		http.MethodDelete: s.deleteRequest,
	}}
	return fixed, request
}

// match returns the route of a path, and the id in it.
func (s *Server) match(path string) (rt route, id string, ok bool) {
	if rt, ok := s.fixed[path]; ok {
		return rt, "", true
	}
	id, ok = strings.CutPrefix(path, requestPath)
	if ok && id != "" && !strings.Contains(id, "/") {
		return s.request, id, true
	}
	return route{}, "", false
}

// handler returns what answers the method; HEAD is answered as GET is, and the server leaves the body out.
func (rt route) handler(method string) (handler, *problem.Problem) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h, ok := rt.methods[method]; ok {
		return h, nil
	}
	allow := make([]string, 0, len(rt.methods)+1)
	for m := range rt.methods {
		allow = append(allow, m)
		if m == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	allowed := strings.Join(allow, ", ")
	return nil, problem.New(problem.MethodNotAllowed, "This path answers "+allowed+".").With("Allow", allowed)
}
