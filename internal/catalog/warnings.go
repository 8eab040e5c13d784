package catalog

import (
	"fmt"
	"maps"
	"slices"
)

// Warnings says in words, in a fixed order, what is valid and may surprise: all that [Catalog.Unsupported] names, and then
// what the file does not let anybody do. Programs log them, and work all the same.
func (c *Catalog) Warnings() []string {
	warnings := c.Unsupported()
	say := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	for _, id := range slices.Sorted(maps.Keys(c.Models)) {
		for _, t := range c.Models[id].Targets {
			if c.Limits.Deadline > 0 && t.Timeout > c.Limits.Deadline {
				say("target %s: timeout is longer than limits.deadline (%v, %v): a request that names no deadline ends before it",
					t.Name, t.Timeout, c.Limits.Deadline)
			}
		}
	}
	if len(c.Tenants) == 0 {
		say("there are no tenants, so no request is accepted: add one with a key that baton keygen makes")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Tenants)) {
		if len(c.Tenants[name].Secrets) == 0 {
			say("tenant %s: has no secrets, so it can only poll: its requests with a callback_url are refused", name)
		}
	}
	return warnings
}
