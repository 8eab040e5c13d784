package main

import (
	"cmp"
	"errors"
	"fmt"

	"baton.dev/baton/internal/catalog"
)

type checkCommand struct {
	File string `arg:"" help:"The configuration."`
	JSON bool   `name:"json" help:"Print what is found as JSON."`
}

func (checkCommand) Help() string {
	return `Says everything that is wrong with a configuration, with its place in the file, and what is
valid and may surprise. It starts nothing and reads no secret. The exit status is 1 if the
configuration is not valid; warnings do not change it. Of many warnings that say the same, it
shows a few and says how many there are; --json has all.`
}

// verdict is what check says in JSON.
type verdict struct {
	Valid    bool      `json:"valid"`
	Faults   []finding `json:"faults"`
	Warnings []finding `json:"warnings"`
	Models   int       `json:"models"` // the counts are those of a valid file
	Targets  int       `json:"targets"`
	Tenants  int       `json:"tenants"`
}

// finding is a [catalog.Fault] in JSON. One without a place is that the file cannot be read.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitzero"`
	Column  int    `json:"column,omitzero"`
	Path    string `json:"path,omitempty"`
	Problem string `json:"problem"`
}

func (k checkCommand) Run(c *console) error {
	cat, err := catalog.Load(k.File)
	v := verdict{Valid: err == nil, Faults: []finding{}, Warnings: []finding{}}
	faults, ok := errors.AsType[*catalog.Faults](err)
	switch {
	case ok:
		for f := range faults.All() {
			v.Faults = append(v.Faults, finding(f))
		}
	case err != nil && k.JSON:
		cause := cmp.Or(errors.Unwrap(err), err) // without the path, which stands beside it
		v.Faults = append(v.Faults, finding{File: k.File, Problem: "cannot be read: " + cause.Error()})
	case err != nil:
		return err
	default:
		for _, w := range cat.Warnings() {
			v.Warnings = append(v.Warnings, finding(w))
		}
		v.Models, v.Tenants = len(cat.Models), len(cat.Tenants)
		for _, m := range cat.Models {
			v.Targets += len(m.Targets)
		}
	}
	if k.JSON {
		if err := printJSON(c.out, v); err != nil {
			return fmt.Errorf("check: %w", err)
		}
	} else {
		k.say(c, v)
	}
	if !v.Valid {
		return errSaid
	}
	return nil
}

// say prints the verdict, each fault and warning in a line of its own that editors and terminals make a link of.
func (k checkCommand) say(c *console, v verdict) {
	for _, f := range v.Faults {
		fmt.Fprintln(c.out, catalog.Fault(f))
	}
	v.warn(c)
	if len(v.Faults)+len(v.Warnings) > 0 {
		fmt.Fprintln(c.out)
	}
	if !v.Valid {
		fmt.Fprintf(c.out, "%s is not valid: %s.\n", k.File, counted(len(v.Faults), "fault"))
		return
	}
	fmt.Fprintf(c.out, "%s is valid: %s, %s, %s.\n", k.File,
		counted(v.Models, "model"), counted(v.Targets, "target"), counted(v.Tenants, "tenant"))
	if len(v.Warnings) > 0 {
		fmt.Fprintf(c.out, "It has %s.\n", counted(len(v.Warnings), "warning"))
	}
}

// More warnings than mostAlike that say the same are cut to the first fewAlike: a file may have hundreds of targets.
const (
	mostAlike = 5
	fewAlike  = 3
)

// warn prints the warnings in the order of the file.
func (v verdict) warn(c *console) {
	count, shown := map[string]int{}, map[string]int{} // by the problem
	for _, w := range v.Warnings {
		count[w.Problem]++
	}
	for _, w := range v.Warnings {
		problem, many := w.Problem, count[w.Problem] > mostAlike
		if many && shown[problem] == fewAlike {
			continue
		}
		shown[problem]++
		w.Problem = "warning: " + problem
		fmt.Fprintln(c.out, catalog.Fault(w))
		if many && shown[problem] == fewAlike {
			fmt.Fprintf(c.out, "  and %d more that say the same; --json has all\n", count[problem]-fewAlike)
		}
	}
}
