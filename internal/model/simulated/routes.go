package simulated

import (
	"net/http"
	"slices"
	"strings"
)

const (
	chatPath   = "/v1/chat/completions"
	healthPath = "/healthz"
)

// route is what one method of one path is answered by. A segment {name} of the path stands for any one segment, which is
// the request's path value of that name.
type route struct {
	method, path string
	serve        func(*Server, http.ResponseWriter, *http.Request)
}

// routes is the one table of paths. It is matched by hand rather than by http.ServeMux, which answers an unclean path with a
// redirect, and an unknown one in plain text.
var routes = []route{
	{http.MethodPost, chatPath, (*Server).chat},
	{http.MethodPost, "/v1/completions", (*Server).complete},
	{http.MethodPost, "/v1/embeddings", (*Server).embed},
	{http.MethodPost, "/v1/responses", (*Server).respond},
	{http.MethodGet, "/v1/responses/{id}", (*Server).getResponse},
	{http.MethodDelete, "/v1/responses/{id}", (*Server).deleteResponse},
	{http.MethodPost, "/v1/responses/{id}/cancel", (*Server).cancelResponse},
	{http.MethodGet, "/v1/models", (*Server).listModels},
	{http.MethodGet, "/v1/models/{id}", (*Server).getModel},
	{http.MethodPost, "/v1/files", (*Server).uploadFile},
	{http.MethodGet, "/v1/files", (*Server).listFiles},
	{http.MethodGet, "/v1/files/{id}", (*Server).getFile},
	{http.MethodDelete, "/v1/files/{id}", (*Server).deleteFile},
	{http.MethodGet, "/v1/files/{id}/content", (*Server).getContent},
	{http.MethodPost, "/v1/batches", (*Server).createBatch},
	{http.MethodGet, "/v1/batches", (*Server).listBatches},
	{http.MethodGet, "/v1/batches/{id}", (*Server).getBatch},
	{http.MethodPost, "/v1/batches/{id}/cancel", (*Server).cancelBatch},
	{http.MethodGet, healthPath, (*Server).health},
}

// matches reports whether the request's path is the route's, and sets its path values.
func (rt route) matches(r *http.Request) bool {
	want, given := strings.Split(rt.path, "/"), strings.Split(r.URL.Path, "/")
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

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	write(w, map[string]string{"status": "ok"})
}

// model is a model as the list has it.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) {
	names := slices.Clone(s.models)
	for name := range s.others {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		names = append(names, "simulated")
	}
	slices.Sort(names)
	data := make([]model, len(names))
	for i, name := range names {
		data[i] = model{ID: name, Object: "model", OwnedBy: "baton"}
	}
	write(w, list[model]{Object: "list", Data: data})
}

func (s *Server) getModel(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("id")
	if _, f := s.of(name); f != nil {
		f.message = "The model '" + name + "' does not exist"
		f.param = "model"
		f.write(w)
		return
	}
	write(w, model{ID: name, Object: "model", OwnedBy: "baton"})
}
