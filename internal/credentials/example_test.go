package credentials_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/credentials"
)

func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"access_token":"a-token","token_type":"bearer","expires_in":3600}`)
	}))
	defer server.Close()
	c := credentials.New(credentials.Config{
		Key: func(s catalog.Secret) (string, error) { // of a process, the Secret of a [catalog.Watch]
			return s.Resolve(func(string) string { return "a-secret" })
		},
	})
	defer c.Close()
	for _, target := range []*catalog.Target{
		{Key: "env:OPENAI_API_KEY"},
		{Key: "env:AZURE_KEY", Auth: catalog.Auth{Header: "api-key"}},
		{Auth: catalog.Auth{OAuth2: &catalog.OAuth2{TokenURL: server.URL, ClientID: "baton", ClientSecret: "env:SECRET"}}},
	} {
		req := httptest.NewRequest(http.MethodPost, "https://model.example.com/v1/chat/completions", http.NoBody)
		if _, err := c.Authorize(context.Background(), target, req, nil); err != nil {
			fmt.Println(err)
		}
		fmt.Println(req.Header)
	}
	// Output:
	// map[Authorization:[Bearer a-secret]]
	// map[Api-Key:[a-secret]]
	// map[Authorization:[Bearer a-token]]
}
