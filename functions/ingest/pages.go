package ingest

import (
	"net/http"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/problem"
)

// modelList is a list of models as OpenAI shapes it.
type modelList struct {
	Object string        `json:"object"`
	Data   []listedModel `json:"data"`
}

type listedModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

// getModels answers GET /v1/models: the models that the key may use, by name.
func (s *Server) getModels(x *Exchange, _ *http.Request) *problem.Problem {
	ids := x.Catalog.ModelsFor(x.Tenant)
	list := modelList{Object: "list", Data: make([]listedModel, len(ids))}
	for i, id := range ids {
		list.Data[i] = listedModel{ID: id, Object: "model", OwnedBy: "baton"}
	}
	x.WriteJSON(http.StatusOK, encode(list))
	return nil
}

// getHealth answers GET /healthz: the process runs.
func (s *Server) getHealth(x *Exchange, _ *http.Request) *problem.Problem {
	x.WriteJSON(http.StatusOK, []byte("{\"status\":\"ok\"}\n"))
	return nil
}

// getReady answers GET /readyz: requests can be stored.
func (s *Server) getReady(x *Exchange, r *http.Request) *problem.Problem {
	if err := s.cfg.Ready(r.Context()); err != nil {
		s.cfg.Log.Warn("not ready", "error", err)
		return problem.New(problem.Unavailable, "Requests cannot be stored now.").With("Retry-After", retryAfter)
	}
	x.WriteJSON(http.StatusOK, []byte("{\"status\":\"ready\"}\n"))
	return nil
}

// getMetrics answers GET /metrics.
func (s *Server) getMetrics(x *Exchange, r *http.Request) *problem.Problem {
	if s.cfg.Metrics == nil {
		return problem.New(problem.NotFound, "This server keeps no metrics.")
	}
	s.cfg.Metrics.ServeHTTP(x, r)
	return nil
}

// getOpenAPI answers GET /openapi.json.
func (s *Server) getOpenAPI(x *Exchange, _ *http.Request) *problem.Problem {
	x.WriteJSON(http.StatusOK, s.openAPI)
	return nil
}

// getRequestSchema answers GET /schemas/inference-request.json.
func (s *Server) getRequestSchema(x *Exchange, _ *http.Request) *problem.Problem {
	x.WriteJSON(http.StatusOK, events.RequestSchema())
	return nil
}

// getResultSchema answers GET /schemas/inference-result.json.
func (s *Server) getResultSchema(x *Exchange, _ *http.Request) *problem.Problem {
	x.WriteJSON(http.StatusOK, events.ResultSchema())
	return nil
}
