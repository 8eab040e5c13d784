package schedule

import (
	"math"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/seeded"
)

// line appends to models those that a request for m is tried at, in order: m, or the members of the group that it is, and
// then its fallbacks, which begin at the returned index. What the configuration no longer has is left out.
func line(c *catalog.Catalog, m *catalog.Model, messageID string, models []*catalog.Model) (_ []*catalog.Model, fallbacks int) {
	models = expand(c, m, messageID, models)
	fallbacks = len(models)
	for _, id := range m.Fallback {
		if f, ok := c.Models[id]; ok {
			models = expand(c, f, messageID, models)
		}
	}
	return models, fallbacks
}

// expand appends m, or the members of the group that it is.
//
// These are in an order that the message alone draws: each is first as often as its weight says, and the others follow as if
// drawn by weight from those that are left. Each member has a key of its own, exponentially distributed with the weight as
// its rate, and the smallest goes first (P. Efraimidis, P. Spirakis, "Weighted random sampling with a reservoir", Information
// Processing Letters 97(5), 2006). So a member that comes or goes changes nothing in the order of the others.
func expand(c *catalog.Catalog, m *catalog.Model, messageID string, models []*catalog.Model) []*catalog.Model {
	if len(m.Group) == 0 {
		return append(models, m)
	}
	start := len(models)
	var room [8]float64
	keys := room[:0]
	for _, member := range m.Group {
		model, ok := c.Models[member.Model]
		if !ok || member.Weight <= 0 {
			continue
		}
		key := -math.Log(1-seeded.Unit(messageID, saltOf(member.Model))) / float64(member.Weight)
		models, keys = append(models, model), append(keys, key)
		for i := len(keys) - 1; i > 0 && keys[i] < keys[i-1]; i-- {
			keys[i], keys[i-1] = keys[i-1], keys[i]
			models[start+i], models[start+i-1] = models[start+i-1], models[start+i]
		}
	}
	return models
}

// saltOf returns a salt of the member's own: 53 bits that depend on its name.
func saltOf(member string) int { return int(seeded.Unit(member, saltGroup) * (1 << 53)) }
