package main

import (
	"crypto/rand"
	"fmt"

	"baton.dev/baton/internal/catalog"
)

type keygenCommand struct {
	Tenant string `arg:"" help:"Name of the tenant."`
}

func (k keygenCommand) Run(c *console) error {
	if !catalog.ValidTenantName(k.Tenant) {
		return fmt.Errorf("keygen: %q cannot name a tenant", k.Tenant)
	}
	key, hash, err := catalog.NewKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("keygen: %w", err)
	}
	secret, err := catalog.NewWebhookSecret(rand.Reader)
	if err != nil {
		return fmt.Errorf("keygen: %w", err)
	}
	fmt.Fprintf(c.out, `# For the tenant; shown once:
key             %s
webhook secret  %s

# For baton.yaml, under tenants, with the secret in the environment or a file:
  %s:
    keys: [%q]
    secrets: [env:WEBHOOK_SECRET]
`, key, secret, k.Tenant, hash)
	return nil
}
