package callback_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"baton.dev/baton/functions/callback"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/results"
)

// One completed event: its result is stored, and delivered signed.
func Example() {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Header.Get("ce-type"), r.Header.Get("webhook-id") == r.Header.Get("ce-id"))
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()

	cat := &catalog.Catalog{
		Callbacks: catalog.Callbacks{
			AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AllowHTTP: true,
			Retries: []time.Duration{0, 5 * time.Second}, Timeout: 15 * time.Second,
		},
		Tenants: map[string]*catalog.Tenant{"search": {Secrets: []catalog.Secret{"env:SEARCH_WHSEC"}}},
	}
	c := callback.New(callback.Config{
		Catalog: func() *catalog.Catalog { return cat },
		Results: results.New(results.NewMemory()),
		Secrets: func(catalog.Secret) (string, error) { return newSecret, nil },
	})
	defer c.Close()

	_, err := c.Handle(context.Background(), completed(receiver.URL))
	fmt.Println(err)
	// Output:
	// dev.baton.inference.completed.v1 true
	// <nil>
}
