package chain

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/results"
)

// TestWhatCallbacksMayReachIsNotFetchedFrom has an image on a server of a private network, which callbacks may reach.
func TestWhatCallbacksMayReachIsNotFetchedFrom(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = io.WriteString(w, "png")
	}))
	t.Cleanup(inside.Close)
	const open = "{allow_networks: [127.0.0.0/8], allow_http: true}\n"
	for name, tc := range map[string]struct {
		config  string
		fetched bool
	}{
		"callbacks may": {"callbacks: " + open, false},
		"fetch may":     {"fetch: " + open, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cat, err := catalog.Parse("baton.yaml", []byte("models: {m: {targets: [{name: a, api: simulated, fetch_urls: true}]}}\n"+tc.config))
			if err != nil {
				t.Fatal(err)
			}
			cfg, closeFetch := Config{
				Bus: newMemory(), Results: results.New(results.NewMemory()), Catalog: catalog.Static(cat), Log: slog.New(slog.DiscardHandler),
			}.infer()
			t.Cleanup(closeFetch)
			messages := json.RawMessage(`[{"role":"user","content":[{"type":"image_url","image_url":{"url":"` + inside.URL + `/a.png"}}]}]`)
			body, err := cfg.Expand(events.Event{})(t.Context(), cat.Models["m"].Targets[0], messages)
			if !tc.fetched {
				if err == nil || !strings.Contains(err.Error(), "blocked") {
					t.Errorf("it is fetched: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r, err := body.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			if b, err := io.ReadAll(r); err != nil || !strings.Contains(string(b), "data:image/png;base64,cG5n") {
				t.Errorf("got %s, %v", b, err)
			}
		})
	}
}
