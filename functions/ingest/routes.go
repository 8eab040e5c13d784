package ingest

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/problem"
)

// Handler answers one request, or returns the problem to answer with, having written nothing.
type Handler func(x *Exchange, r *http.Request) *problem.Problem

// Route is what one path answers.
type Route struct {
	// Pattern is the path. A segment {name} stands for any one segment, which is the request's path value of that name.
	Pattern string
	Methods map[string]Handler
	Open    bool // to callers without a key
	Submits bool // takes requests, which a tenant's rate is of
	// Has reports whether there is something at a path that matches, for methods that are not answered; nil: there is.
	Has func(r *http.Request) bool
	// Refuse answers with a problem; nil: as RFC 9457 has it.
	Refuse func(x *Exchange, p *problem.Problem)
}

const requestPath = "/v1/inferences/" // and a message id

// routes is the one table of paths and methods.
//
// It is matched by hand rather than by http.ServeMux, because every answer here is a problem or JSON: the mux answers an
// unclean path with a redirect in HTML, and an unknown one or a wrong method in plain text.
func (s *Server) routes() (fixed map[string]Route, request Route) {
	get := func(h Handler) map[string]Handler { return map[string]Handler{http.MethodGet: h} }
	post := func(h Handler) map[string]Handler { return map[string]Handler{http.MethodPost: h} }
	fixed = map[string]Route{}
	for _, r := range []Route{
		{Pattern: "/v1/inferences", Methods: post(s.postRequest), Submits: true},
		{Pattern: "/async-infer", Methods: post(s.postRequest), Submits: true},
		{Pattern: "/v1/events", Methods: post(s.postEvent), Submits: true},
		{Pattern: "/v1/models", Methods: get(s.getModels), Refuse: refuseBoth},
		{Pattern: "/healthz", Methods: get(s.getHealth), Open: true},
		{Pattern: "/readyz", Methods: get(s.getReady), Open: true},
		{Pattern: "/metrics", Methods: get(s.getMetrics), Open: true},
		{Pattern: "/openapi.json", Methods: get(s.getOpenAPI), Open: true},
		{Pattern: events.SchemaPath, Methods: get(s.getRequestSchema), Open: true},
		{Pattern: events.ResultSchemaPath, Methods: get(s.getResultSchema), Open: true},
	} {
		fixed[r.Pattern] = r
	}
	request = Route{Pattern: requestPath + "{message_id}", Methods: map[string]Handler{
		http.MethodGet:    s.getRequest,
		http.MethodDelete: s.deleteRequest,
	}}
	return fixed, request
}

// Mount adds routes beside those of the interface itself. Two may have the same pattern and answer different methods, one of them
// open. It is called before the server is used.
func (s *Server) Mount(routes ...Route) { s.mounted = append(s.mounted, routes...) }

// match returns the route of the request's path. What stands in the path for a message id is id; the path values of a mounted
// route are the request's.
func (s *Server) match(r *http.Request) (rt Route, id string, ok bool) {
	path := r.URL.Path
	if rt, ok := s.fixed[path]; ok {
		return rt, "", true
	}
	if id, is := strings.CutPrefix(path, requestPath); is && id != "" && !strings.Contains(id, "/") {
		return s.request, id, true
	}
	for _, other := range s.mounted {
		switch _, answers := other.Methods[method(r)]; {
		case !other.matches(r):
		case answers:
			return other, "", true
		case other.Has != nil && !other.Has(r):
		default: // together they say which methods the path answers
			rt, ok = rt.joined(other), true
		}
	}
	return rt, "", ok
}

// joined returns a route of the methods of both, which is as the first but for those; rt may be zero.
func (rt Route) joined(other Route) Route {
	if rt.Methods == nil {
		return other
	}
	rt.Methods = maps.Clone(rt.Methods)
	maps.Copy(rt.Methods, other.Methods)
	return rt
}

// matches reports whether the request's path is the route's, and sets its path values.
func (rt Route) matches(r *http.Request) bool {
	want, given := strings.Split(rt.Pattern, "/"), strings.Split(r.URL.Path, "/")
	if len(want) != len(given) {
		return false
	}
	for i, segment := range want {
		if name, ok := strings.CutPrefix(segment, "{"); ok && given[i] != "" {
			r.SetPathValue(strings.TrimSuffix(name, "}"), given[i])
		} else if segment != given[i] {
			return false
		}
	}
	return true
}

// method returns the request's; HEAD is answered as GET is, and the server leaves the body out.
func method(r *http.Request) string {
	if r.Method == http.MethodHead {
		return http.MethodGet
	}
	return r.Method
}

// handler returns what answers the request's method.
func (rt Route) handler(r *http.Request) (Handler, *problem.Problem) {
	if h, ok := rt.Methods[method(r)]; ok {
		return h, nil
	}
	allow := make([]string, 0, len(rt.Methods)+1)
	for m := range rt.Methods {
		allow = append(allow, m)
		if m == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	allowed := strings.Join(allow, ", ")
	return nil, problem.New(problem.MethodNotAllowed, "This path answers "+allowed+".").With("Allow", allowed)
}
