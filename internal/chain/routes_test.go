package chain

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/results"
)

func TestEveryPathOfTheOpenAPIDocumentIsAnswered(t *testing.T) {
	t.Parallel()
	bus := newMemory()
	front := Config{
		Bus: bus, Results: results.New(results.NewMemory()), Catalog: catalog.Static(&catalog.Catalog{}),
		Objects: objects.NewMemory(time.Now), Log: slog.New(slog.DiscardHandler),
	}.Ingest()
	serve := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		front.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
		return w
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(serve(http.MethodGet, "/openapi.json").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths {
		for method := range item {
			if method == "parameters" {
				continue
			}
			status := serve(strings.ToUpper(method), strings.NewReplacer("{", "", "}", "").Replace(path)).Code
			open := []string{"/healthz", "/readyz", "/metrics", "/openapi.json"}
			if status != http.StatusUnauthorized && method != "put" && !slices.Contains(open, path) && !strings.HasPrefix(path, "/schemas/") {
				t.Errorf("%s %s is answered %d without a key", method, path, status)
			}
			if status == http.StatusMethodNotAllowed {
				t.Errorf("%s %s is not answered", method, path)
			}
		}
	}
}
