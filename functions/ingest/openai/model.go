package openai

import (
	"net/http"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/openaiapi"
	"baton.dev/baton/internal/problem"
)

// getModel answers GET /v1/models/{model}.
func (f *front) getModel(x *ingest.Exchange, r *http.Request) *problem.Problem {
	id := r.PathValue("model")
	if owner := r.PathValue("owner"); owner != "" {
		id = owner + "/" + id
	}
	if x.Catalog.Models[id] == nil || !x.Tenant.MayUse(id) {
		fail(x, openaiapi.NoModel(id))
		return nil
	}
	heading(x)
	x.WriteJSON(http.StatusOK, openaiapi.Model(id))
	return nil
}
