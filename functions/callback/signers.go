package callback

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/webhook"
)

// errNoSigner says that the configuration has nothing to sign the tenant's callbacks with.
var errNoSigner = errors.New("nothing to sign with")

// signers keeps each tenant's signer for as long as the catalog is the same: no secret is read or parsed for each event,
// and a reload reads all of them anew.
type signers struct {
	read    func(catalog.Secret) (string, error)
	current atomic.Pointer[generation]
}

// generation is the signers of one catalog.
type generation struct {
	catalog  *catalog.Catalog
	mu       sync.RWMutex
	byTenant map[string]*webhook.Signer
}

func (g *generation) get(tenant string) *webhook.Signer {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.byTenant[tenant]
}

func (g *generation) put(tenant string, signer *webhook.Signer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.byTenant[tenant] = signer
}

// of returns the tenant's signer. The error is errNoSigner if the catalog has no such tenant, or no secret for it; any
// other is about reading a secret, and may pass.
func (s *signers) of(cat *catalog.Catalog, tenant string) (*webhook.Signer, error) {
	g := s.current.Load()
	if g == nil || g.catalog != cat {
		// Two events at a reload may both make one, or bring an old one back for a moment: that costs a reading more.
		g = &generation{catalog: cat, byTenant: map[string]*webhook.Signer{}}
		s.current.Store(g)
	}
	if known := g.get(tenant); known != nil {
		return known, nil
	}
	signer, err := s.build(cat, tenant)
	if err != nil {
		return nil, fmt.Errorf("callback: sign for tenant %q: %w", tenant, err)
	}
	g.put(tenant, signer)
	return signer, nil
}

func (s *signers) build(cat *catalog.Catalog, tenant string) (*webhook.Signer, error) {
	t, ok := cat.Tenants[tenant]
	if !ok || len(t.Secrets) == 0 {
		return nil, errNoSigner
	}
	secrets := make([]string, 0, len(t.Secrets))
	for i, ref := range t.Secrets {
		secret, err := s.read(ref)
		if err != nil {
			return nil, fmt.Errorf("read secret %d: %w", i+1, err)
		}
		secrets = append(secrets, secret)
	}
	return webhook.NewSigner(secrets)
}
