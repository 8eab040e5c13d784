package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// index is what lookups read: built once for a catalog, so that a request costs a map access.
type index struct {
	keys    map[[sha256.Size]byte]*Tenant
	targets map[string]placed
	models  map[*Tenant][]string
}

// placed is a target and the model it stands under.
type placed struct {
	target *Target
	model  *Model
}

func (c *Catalog) index() *index {
	c.indexing.Do(func() {
		c.indexed = index{
			keys:    make(map[[sha256.Size]byte]*Tenant),
			targets: make(map[string]placed),
			models:  make(map[*Tenant][]string),
		}
		for _, m := range c.Models {
			for _, t := range m.Targets {
				c.indexed.targets[t.Name] = placed{t, m}
			}
		}
		for _, t := range c.Tenants {
			c.indexed.models[t] = c.modelsFor(t)
			for _, key := range t.Keys {
				if sum, err := hex.DecodeString(key); err == nil && len(sum) == sha256.Size {
					c.indexed.keys[[sha256.Size]byte(sum)] = t
				}
			}
		}
	})
	return &c.indexed
}

// TenantByKey returns the tenant that the presented key belongs to.
//
// The key is hashed and the hash looked up, in a map that does not compare in constant time. What that time could tell is how
// the hash of a guess relates to stored hashes, and nobody can choose a guess by its SHA-256: it says nothing about a key.
func (c *Catalog) TenantByKey(key string) (*Tenant, bool) {
	if key == "" {
		return nil, false
	}
	t, ok := c.index().keys[sha256.Sum256([]byte(key))]
	return t, ok
}

// Target returns the target of the name and the model it stands under.
func (c *Catalog) Target(name string) (*Target, *Model, bool) {
	p, ok := c.index().targets[name]
	return p.target, p.model, ok
}

// ModelsFor returns the ids of the models that the tenant may use, sorted. The caller must not change the slice.
func (c *Catalog) ModelsFor(t *Tenant) []string {
	if ids, ok := c.index().models[t]; ok {
		return ids
	}
	return c.modelsFor(t)
}

func (c *Catalog) modelsFor(t *Tenant) []string {
	ids := make([]string, 0, len(c.Models))
	for id := range c.Models {
		if t.MayUse(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Clip(ids)
}
