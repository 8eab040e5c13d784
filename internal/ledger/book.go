package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
)

const (
	// KeptDays is how long the sums of a day are kept, from that day: a year and what it takes to compare it.
	KeptDays = 400
	// Recent is how long a [Book] knows that it has counted an execution: longer than its client repeats a step whose answer
	// was lost. One that [Patient] keeps for longer, and that was counted though its answer was lost, is counted twice.
	Recent = 15 * time.Minute
)

// Entry is one execution of an attempt that called a model.
type Entry struct {
	ID     string // of the execution
	Tenant string
	Model  string // the id that the caller asked for
	Target string
	Usage  events.Usage // zero where it is not known
	Money  catalog.Money
}

// Total is what the attempts of a day took.
type Total struct {
	Day          string        `json:"day"` // in UTC, as 2026-11-24
	Tenant       string        `json:"tenant"`
	Model        string        `json:"model"`
	Target       string        `json:"target"`
	Attempts     int64         `json:"attempts"`
	InputTokens  int64         `json:"input_tokens"`
	OutputTokens int64         `json:"output_tokens"`
	Money        catalog.Money `json:"money"` // in millionths of the unit
}

// Compare orders totals by day, tenant, model and target.
func (t Total) Compare(o Total) int {
	return cmp.Or(cmp.Compare(t.Day, o.Day), cmp.Compare(t.Tenant, o.Tenant), cmp.Compare(t.Model, o.Model),
		cmp.Compare(t.Target, o.Target))
}

// Total returns what the entry adds to its day, or an error for one that no [Book] takes: its names must be of a bounded
// length and of what stands in names of a configuration, so that a store can keep them side by side.
func (e Entry) Total(now time.Time) (Total, error) {
	if e.ID == "" {
		return Total{}, errors.New("ledger: count of an attempt without an id")
	}
	for what, name := range map[string]string{"tenant": e.Tenant, "model": e.Model, "target": e.Target} {
		if !plain(name) {
			return Total{}, fmt.Errorf("ledger: count of %s: its %s is no name of a configuration", e.ID, what)
		}
	}
	if err := Check(e.Tenant, e.ID, e.Money); err != nil {
		return Total{}, err
	}
	in, out := tokens(e.Usage)
	return Total{
		Day: Day(now), Tenant: e.Tenant, Model: e.Model, Target: e.Target,
		Attempts: 1, InputTokens: in, OutputTokens: out, Money: e.Money,
	}, nil
}

// plain reports whether the name is 1 to 128 printable ASCII characters without spaces, as the longest of a configuration.
func plain(name string) bool {
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return name != "" && len(name) <= 128
}

// Day returns the day that the time is in, as [Total] names it.
func Day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Days returns the days from one to the other, both included, or an error if they are more than are kept.
func Days(from, to time.Time) ([]string, error) {
	from, to = from.UTC().Truncate(24*time.Hour), to.UTC()
	var days []string
	for d := from; !d.After(to); d = d.AddDate(0, 0, 1) {
		if len(days) > KeptDays {
			return nil, fmt.Errorf("ledger: totals from %s to %s: more than the %d days that are kept", Day(from), Day(to), KeptDays)
		}
		days = append(days, Day(d))
	}
	return days, nil
}
