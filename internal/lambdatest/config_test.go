package lambdatest_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"baton.dev/baton/internal/catalog"
)

// configured is a configuration with one tenant, and what the tenant has of it.
type configured struct{ path, key, secret string }

// configure writes a configuration with the models, as they stand in baton.yaml. The tenant's secret is the variable WHSEC.
func configure(t *testing.T, models string) configured {
	t.Helper()
	key, hash, err := catalog.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := catalog.NewWebhookSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := configured{path: filepath.Join(t.TempDir(), "baton.yaml"), key: key, secret: secret}
	text := fmt.Sprintf(`
models:
%s
callbacks: {allow_networks: [127.0.0.0/8], allow_http: true, timeout: 2s, retries: [0s, 1s, 1s, 5s, 5s, 10s, 10s, 30s]}
tenants:
  t: {keys: [%q], models: ["*"], secrets: ["env:WHSEC"], intake: {sqs: true}}
`, models, hash)
	if err := os.WriteFile(c.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}
