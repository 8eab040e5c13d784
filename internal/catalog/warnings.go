package catalog

import (
	"fmt"
	"maps"
	"slices"
)

// Warnings returns what is valid and may surprise, in the order of the file: what the file does not let anybody do, what has no
// effect or a bad one. Programs log them, and work all the same. A catalog that [Parse] did not make has none.
func (c *Catalog) Warnings() []Fault { return slices.Clone(c.warnings) }

func (r *reader) warnf(v value, format string, args ...any) {
	r.warnings = append(r.warnings, Fault{r.file, v.line, v.column, v.path, fmt.Sprintf(format, args...)})
}

// surprises warns of what a target does and its reader may not expect.
func (r *reader) surprises(v value, has given, modelID string, t *Target, c *Catalog) {
	r.later = append(r.later, func() {
		if t.Timeout > c.Limits.Deadline {
			r.warnf(has.or("timeout", v), "is longer than limits.deadline (%v, %v): a request that names no deadline ends before it",
				t.Timeout, c.Limits.Deadline)
		}
	})
	if _, ok := has["price"]; !ok {
		r.priceless = append(r.priceless, priceless{has.or("price", v), modelID})
	}
}

// unread warns of brokers that nothing is taken from.
func (r *reader) unread(has given, c *Catalog) {
	kafka, ok := has["kafka"]
	if !ok {
		return
	}
	for _, t := range c.Tenants {
		if len(t.Intake.Kafka) > 0 {
			return
		}
	}
	r.warnf(kafka, "is not read: no tenant has topics in intake.kafka")
}

// priceless is a target without a price, and the model it stands under.
type priceless struct {
	value
	model string
}

// unpriced warns of each target without a price that a tenant with a budget may use.
func (r *reader) unpriced(c *Catalog) {
	spender := map[string]string{} // by the model that it may use, in the end
	var use func(id, tenant string)
	use = func(id, tenant string) {
		m, ok := c.Models[id]
		if _, known := spender[id]; known || !ok {
			return
		}
		spender[id] = tenant
		for _, member := range m.Group {
			use(member.Model, tenant)
		}
		for _, other := range m.Fallback {
			use(other, tenant)
		}
	}
	everything := false // each model once, however many tenants may use all
	for _, name := range slices.Sorted(maps.Keys(c.Tenants)) {
		t := c.Tenants[name]
		if t.Budget == (Budget{}) || everything {
			continue
		}
		ids := t.Models
		if slices.Contains(ids, AnyModel) {
			ids, everything = slices.Sorted(maps.Keys(c.Models)), true
		}
		for _, id := range ids {
			use(id, name)
		}
	}
	for _, p := range r.priceless {
		if tenant, ok := spender[p.model]; ok {
			r.warnf(p.value, "is missing, and tenant %s, which has a budget, may use the target: what that costs is not counted", tenant)
		}
	}
}
