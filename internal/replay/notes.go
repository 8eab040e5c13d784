package replay

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// notes says what the figures do not. leftOut names the targets whose copies are not replayed.
func (t *Trace) notes(o Options, recorded Side, leftOut []string) []string {
	notes := []string{}
	say := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if t.Cut {
		say("The last line of the trace was cut off and is left out.")
	}
	if t.Headless > 0 {
		say("%s began before the trace did: their calls say how the targets did, and they are not replayed.",
			counted(t.Headless, "request"))
	}
	if recorded.Unfinished > 0 {
		say("%s had not ended when the trace did, were canceled or became dead letters: they are replayed, to their end.",
			counted(recorded.Unfinished, "request"))
	}
	if names := unpriced(recorded); len(names) > 0 {
		say("The recorded cost leaves out what was called at %s, which is not in the configuration: "+
			"give the one of that time as the baseline.", strings.Join(names, ", "))
	}
	for _, id := range slices.Sorted(maps.Keys(o.Catalog.Models)) {
		if o.Catalog.Models[id].Cache > 0 && t.unmarked(id) {
			say("The trace does not say which requests for %s are equal: its cache answers none of them here.", id)
		}
	}
	for _, name := range leftOut {
		say("Target %s takes copies of requests, of which a trace says nothing: they are not replayed, and their cost is left out. "+
			"To replay them, say how it behaves, with --assume %s=P50,P99,ERRORS.", name, name)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Assume)) {
		a := o.Assume[name]
		say("Target %s is assumed to take %v in the median, %v at the 99th percentile, and to fail %.3g %% of its calls.",
			name, a.P50, a.P99, 100*a.ErrorRate)
	}
	return notes
}

// unpriced returns the targets whose calls are not in the cost.
func unpriced(s Side) []string {
	var names []string
	for _, t := range s.Targets {
		if t.Unpriced {
			names = append(names, t.Target)
		}
	}
	return names
}

// unmarked reports whether the trace has requests for the model, and none with a mark of equality.
func (t *Trace) unmarked(model string) bool {
	asked := false
	for _, m := range t.Messages {
		if m.Model == model {
			asked = true
			if m.Same != "" {
				return false
			}
		}
	}
	return asked
}
