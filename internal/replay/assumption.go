package replay

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/seeded"
)

// Assumption is how a target is taken to behave of which the trace knows nothing, or other than it says.
type Assumption struct {
	P50, P99  time.Duration // of the time of a call
	ErrorRate float64       // the share of calls that fail as [events.CodeUnavailable], 0 to 1
}

// ParseAssumption reads NAME=P50,P99 or NAME=P50,P99,ERRORS: new=300ms,1.2s,1%. ERRORS is a percentage or a number from 0 to
// 1, as error_rate is in a configuration.
func ParseAssumption(text string) (target string, a Assumption, err error) {
	const want = "want NAME=P50,P99 or NAME=P50,P99,ERRORS, such as new=300ms,1.2s,1%"
	fail := func(what string) (string, Assumption, error) {
		return "", Assumption{}, fmt.Errorf("replay: assumption %q: %s: %s", text, what, want)
	}
	target, values, ok := strings.Cut(text, "=")
	if !ok || !events.ValidTarget(target) {
		return fail("names no target")
	}
	parts := strings.Split(values, ",")
	if len(parts) < 2 || len(parts) > 3 {
		return fail("has not two or three values")
	}
	for i, d := range []*time.Duration{&a.P50, &a.P99} {
		if *d, err = time.ParseDuration(parts[i]); err != nil || *d < 0 || *d > time.Hour {
			return fail("a time is no duration from 0 to 1h")
		}
	}
	if a.P99 < a.P50 {
		return fail("P99 is less than P50")
	}
	if len(parts) == 3 {
		if a.ErrorRate, ok = shareOf(parts[2]); !ok {
			return fail("the share of errors is not from 0 to 1, or 0% to 100%")
		}
	}
	return target, a, nil
}

// shareOf reads a share, as a percentage or as a number from 0 to 1.
func shareOf(text string) (share float64, ok bool) {
	number, percentage := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(number, 64)
	if percentage {
		share /= 100
	}
	return share, err == nil && share >= 0 && share <= 1 // NaN is neither
}

// draw returns how a call goes. Times are log-normal, the shape that response times of servers mostly have.
func (a Assumption) draw(label string, seed uint64) outcome {
	o := outcome{service: a.quantile(seeded.Unit(label+" time", int(seed)))}
	if seeded.Unit(label+" error", int(seed)) < a.ErrorRate {
		o.code = events.CodeUnavailable
	}
	return o
}

// quantile returns the quantile of the time of a call. That of a log-normal distribution at p is exp(mu + sigma*z(p)), z
// being the standard normal's (NIST/SEMATECH e-Handbook, 1.3.6.6.9), which is sqrt(2) erfinv(2p-1).
func (a Assumption) quantile(p float64) time.Duration {
	const z99 = 2.3263478740408408 // z(0.99)
	if a.P50 <= 0 || a.P99 <= a.P50 {
		return a.P50
	}
	z := math.Sqrt2 * math.Erfinv(2*p-1) // -Inf at 0, which makes the time nothing
	sigma := math.Log(float64(a.P99)/float64(a.P50)) / z99
	return time.Duration(min(float64(a.P50)*math.Exp(sigma*z), float64(time.Hour)))
}

// drawer says how the calls of a target go.
type drawer struct {
	history *history    // nil: what is assumed
	assumed *Assumption // instead of the history
}

// drawers returns one for each target that a request of the trace may come to. The error names all that there is none for,
// but for those that take copies alone, as shadows: no trace says how these go and nothing follows from them, so they are
// left out, by name.
func (t *Trace) drawers(c *catalog.Catalog, assume map[string]Assumption) (all map[string]drawer, leftOut []string, err error) {
	all = map[string]drawer{}
	var unknown []error
	for _, m := range reachable(c, t.Messages) {
		for _, target := range m.Targets {
			assumed, ok := assume[target.Name]
			h := t.targets[target.Name]
			switch {
			case ok:
				all[target.Name] = drawer{assumed: &assumed}
			case h != nil && len(h.all) > 0:
				all[target.Name] = drawer{history: h}
			case target.Simulate != nil:
				s := target.Simulate
				all[target.Name] = drawer{assumed: &Assumption{s.P50, s.P99, s.ErrorRate}}
			case target.Shadow > 0:
				leftOut = append(leftOut, target.Name)
			default:
				unknown = append(unknown, fmt.Errorf("target %s of model %s: the trace has no call of it: "+
					"say how it behaves, with --assume %s=P50,P99,ERRORS", target.Name, m.ID, target.Name))
			}
		}
	}
	for name := range assume {
		if _, _, ok := c.Target(name); !ok {
			unknown = append(unknown, fmt.Errorf("target %s, of which something is assumed, is not in the configuration", name))
		}
	}
	if len(unknown) > 0 {
		return nil, nil, fmt.Errorf("replay: %w", errors.Join(unknown...))
	}
	slices.Sort(leftOut)
	return all, leftOut, nil
}

// reachable returns the models that requests of the trace may be tried at, in the order in which they are found.
func reachable(c *catalog.Catalog, messages []*Message) []*catalog.Model {
	var models []*catalog.Model
	seen := map[string]bool{}
	var visit func(id string)
	visit = func(id string) {
		m, ok := c.Models[id]
		if seen[id] || !ok {
			return
		}
		seen[id] = true
		models = append(models, m)
		for _, member := range m.Group {
			visit(member.Model)
		}
		for _, fallback := range m.Fallback {
			visit(fallback)
		}
	}
	for _, m := range messages {
		visit(m.Model)
	}
	return models
}

// draw returns how the message's n-th call of the target goes, from 0, if it begins at the given time.
func (d drawer) draw(messageID, target string, n int, at time.Time, seed uint64) outcome {
	label := callLabel(messageID, target, n)
	if d.assumed != nil {
		return d.assumed.draw(label, seed)
	}
	return d.history.draw(messageID, n, at, label, seed)
}
