package replay

import (
	"maps"
	"slices"

	"baton.dev/baton/internal/catalog"
)

// targetsOf returns the names of all targets, as a board asks for them.
func targetsOf(c *catalog.Catalog) func() []string {
	var names []string
	for _, id := range slices.Sorted(maps.Keys(c.Models)) {
		for _, t := range c.Models[id].Targets {
			names = append(names, t.Name)
		}
	}
	return func() []string { return names }
}

// canariesOf says which targets are canaries and what they are compared with, as a board asks for it.
func canariesOf(c *catalog.Catalog) func(string) (string, []string) {
	return func(name string) (fingerprint string, stable []string) {
		t, m, ok := c.Target(name)
		if !ok || t.Canary == 0 {
			return "", nil
		}
		for _, other := range m.Stable() {
			stable = append(stable, other.Name)
		}
		return t.Fingerprint(), stable
	}
}
