package simulation

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

// Shorten looks for less that breaks the same invariant: it leaves out requests and faults, in halves, then in quarters and
// so on to one at a time, and keeps what still fails (A. Zeller and R. Hildebrandt, Simplifying and Isolating
// Failure-Inducing Input, 2002). It runs so many worlds at most, and returns the last that failed.
func (s *Simulator) Shorten(t *testing.T, failed Report, runs int) Report {
	least := failed
	for size := len(least.parts()) / 2; size > 0; {
		progress := false
		for from := 0; from < len(least.parts()); {
			runs--
			if runs < 0 {
				return least
			}
			parts := least.parts()
			r := s.Run(t, failed.Seed, least.Plan.without(parts[from:min(from+size, len(parts))]))
			if r.Violation == nil || r.Violation.Invariant != failed.Violation.Invariant {
				from += size
				continue
			}
			least, progress = r, true
		}
		if size == 1 && !progress {
			break
		}
		if size > 1 {
			size /= 2
		}
	}
	return least
}

// parts returns what can be left out of the world: its requests, first, and what went wrong.
func (r Report) parts() []string {
	return append(append([]string{}, r.Requests...), r.Faults...)
}

// without returns the plan that leaves out more.
func (p Plan) without(parts []string) Plan {
	more := Plan{Leave: maps.Clone(p.Leave)}
	if more.Leave == nil {
		more.Leave = map[string]bool{}
	}
	for _, part := range parts {
		more.Leave[part] = true
	}
	return more
}

// String says what is wrong with a world, how it came to that, and how to see it again.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %v\n", r.Seed, r.Violation)
	fmt.Fprintf(&b, "with %d requests and %d faults left:\n", len(r.Requests), len(r.Faults))
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "    %s\n", f)
	}
	steps := r.History.about(r.Violation.Message)
	fmt.Fprintf(&b, "%d of the %d steps, those about the message:\n", len(steps), len(r.History))
	for _, s := range steps {
		fmt.Fprintf(&b, "    %v\n", s)
	}
	fmt.Fprintf(&b, "to see it again: go test ./internal/simulation -run TestSeeds -seed=%d\n", r.Seed)
	return b.String()
}
