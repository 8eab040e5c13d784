package admission

import (
	"slices"

	"baton.dev/baton/internal/catalog"
)

// capacity returns the targets that may serve a request for the model, level by level: those of the model or of its group,
// then those of each fallback, which are called when every target before them is out. A target that gets copies alone
// serves nobody.
func capacity(c *catalog.Catalog, m *catalog.Model) [][]*catalog.Target {
	var levels [][]*catalog.Target
	seen := map[*catalog.Model]bool{}
	var visit func(m *catalog.Model)
	visit = func(m *catalog.Model) {
		if m == nil || seen[m] {
			return
		}
		seen[m] = true
		level, fallback := serving(nil, m), m.Fallback
		for _, member := range m.Group {
			if other := c.Models[member.Model]; other != nil && !seen[other] {
				seen[other] = true
				level, fallback = serving(level, other), append(slices.Clip(fallback), other.Fallback...)
			}
		}
		levels = append(levels, level)
		for _, id := range fallback {
			visit(c.Models[id])
		}
	}
	visit(m)
	return levels
}

// serving appends the model's targets that serve requests.
func serving(to []*catalog.Target, m *catalog.Model) []*catalog.Target {
	for _, t := range m.Targets {
		if t.Shadow == 0 {
			to = append(to, t)
		}
	}
	return to
}
