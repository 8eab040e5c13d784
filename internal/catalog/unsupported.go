package catalog

import (
	"fmt"
	"maps"
	"slices"
)

// Unsupported says in words, in a fixed order, what the file asks for that this version does not do yet. The file is valid
// all the same: these are among its [Catalog.Warnings].
func (c *Catalog) Unsupported() []string {
	var not []string
	say := func(format string, args ...any) { not = append(not, fmt.Sprintf(format, args...)) }
	for _, id := range slices.Sorted(maps.Keys(c.Models)) {
		m := c.Models[id]
		if m.Strategy != Weighted && m.Strategy != "" {
			say("model %s: strategy %s is not supported yet: targets are chosen by weight", id, m.Strategy)
		}
		if m.Cache > 0 {
			say("model %s: cache is not supported yet: every request is inferred", id)
		}
		for _, t := range m.Targets {
			if t.Canary > 0 {
				say("target %s: canary is not supported yet: the target takes its share by weight", t.Name)
			}
			if t.API == OIPGRPC || t.API == OIPHTTP {
				say("target %s: api %s is not supported yet: calls of the target fail", t.Name, t.API)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Tenants)) {
		if c.Tenants[name].Rate > 0 {
			say("tenant %s: rate is not supported yet: requests are not limited", name)
		}
	}
	return not
}
