package local_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
)

// TestATenantIsServedWithinItsShare fills the queue with the requests of two tenants, each up to its cap, and then lets a
// third come, and looks at the order in which the model is called.
func TestATenantIsServedWithinItsShare(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const queued, few = 800, 100
	var mu sync.Mutex
	var order []string
	model := simulated.New(catalog.Simulate{P50: 10 * time.Millisecond, P99: 10 * time.Millisecond, Tokens: 4})
	models := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		for _, tenant := range []string{"one", "two", "three"} {
			if bytes.Contains(body, []byte("from "+tenant)) {
				mu.Lock()
				order = append(order, tenant)
				mu.Unlock()
			}
		}
		model.ServeHTTP(w, r)
	}))
	t.Cleanup(models.Close)

	dir := t.TempDir()
	var config strings.Builder
	fmt.Fprintf(&config, "models:\n  m: {targets: [{name: sim, api: openai, url: %s/v1, concurrency: 2}]}\ntenants:\n", models.URL)
	keys := map[string]string{}
	for _, tenant := range []string{"one", "two", "three"} {
		key, hash, err := catalog.NewKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[tenant] = key
		fmt.Fprintf(&config, "  %s: {keys: [%q], queued: %d}\n", tenant, hash, queued)
	}
	path := filepath.Join(dir, "baton.yaml")
	if err := os.WriteFile(path, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	l := startedWith(t, path)
	post := func(tenant string) int {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.URL+"/v1/inferences",
			strings.NewReader(`{"model_id":"m","prompt":"from `+tenant+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+keys[tenant])
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	accepted := map[string]int{}
	for full := map[string]bool{}; len(full) < 2; {
		for _, tenant := range []string{"one", "two"} {
			switch status := post(tenant); status {
			case http.StatusAccepted:
				accepted[tenant]++
			case http.StatusTooManyRequests:
				full[tenant] = true
			default:
				t.Fatalf("answered %d", status)
			}
		}
	}
	mu.Lock()
	came := len(order)
	mu.Unlock()
	for range few {
		if status := post("three"); status != http.StatusAccepted {
			t.Fatalf("the third is answered %d", status)
		}
	}
	first, last := 0, 0 // the third tenant's own calls
	for last == 0 {
		mu.Lock()
		served := 0
		for i, tenant := range order {
			if tenant == "three" {
				served++
				if served == 1 {
					first = i
				}
				if served == few {
					last = i + 1
				}
			}
		}
		mu.Unlock()
		pause(ctx, 10*time.Millisecond)
		if ctx.Err() != nil {
			t.Fatalf("the third tenant had %d calls", served)
		}
	}
	share := float64(few) / float64(last-first)
	t.Logf("accepted before a tenant was full: %v; the third came after %d calls, waited for %d, and had %.0f %% of the %d that followed",
		accepted, came, first-came, 100*share, last-first)
	// A quarter of the turns is its share: of four lanes, the tenants' own and the one of all that filled before they were seen to
	// wait. A lane whose next are on their way loses a turn, so what is checked is half of that; in order of arrival it had 6 %.
	if share < 0.125 {
		t.Errorf("the third tenant had %.0f %% of the calls", 100*share)
	}
	if waited := first - came; waited > queued/2 {
		t.Errorf("the third tenant waited for %d calls of the others, which had %d queued", waited, 2*queued)
	}
}
