package ingest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/problem"
)

func TestAPathOfTwoRoutesNamesTheMethodsOfBoth(t *testing.T) {
	t.Parallel()
	cat := testCatalog()
	s := ingest.New(ingest.Config{Catalog: func() *catalog.Catalog { return cat }})
	answer := func(x *ingest.Exchange, r *http.Request) *problem.Problem {
		x.WriteJSON(http.StatusOK, []byte(r.PathValue("id")))
		return nil
	}
	s.Mount(
		ingest.Route{Pattern: "/things/{id}", Methods: map[string]ingest.Handler{http.MethodGet: answer}},
		ingest.Route{Pattern: "/things/{id}", Methods: map[string]ingest.Handler{http.MethodPut: answer}, Open: true},
		ingest.Route{Pattern: "/others/{id}", Methods: map[string]ingest.Handler{http.MethodPost: answer}},
	)
	for _, tc := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodPatch, "/things/7", http.StatusMethodNotAllowed, "GET, HEAD, PUT"},
		{http.MethodPatch, "/others/7", http.StatusMethodNotAllowed, "POST"},
		{http.MethodPut, "/things/7", http.StatusOK, ""},
		{http.MethodHead, "/things/7", http.StatusUnauthorized, ""}, // one of them is open, and the other is not
		{http.MethodGet, "/things", http.StatusNotFound, ""},
		{http.MethodGet, "/v1/inferences/7/nothing", http.StatusNotFound, ""},
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(tc.method, tc.path, http.NoBody))
		if w.Code != tc.status || w.Header().Get("Allow") != tc.allow {
			t.Errorf("%s %s: %d, allowed %q", tc.method, tc.path, w.Code, w.Header().Get("Allow"))
		}
	}
}
