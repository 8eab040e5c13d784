package main

import (
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
configuration is not valid; warnings do not change it.`
}

// verdict is what check says in JSON.
type verdict struct {
	Valid    bool            `json:"valid"`
	Faults   []catalog.Fault `json:"faults"`
	Warnings []catalog.Fault `json:"warnings"`
	Models   int             `json:"models"` // the counts are those of a valid file
	Targets  int             `json:"targets"`
	Tenants  int             `json:"tenants"`
}

func (k checkCommand) Run(c *console) error {
	cat, err := catalog.Load(k.File)
	faults, ok := errors.AsType[*catalog.Faults](err)
	if err != nil && !ok {
		return err
	}
	v := verdict{Valid: err == nil, Faults: []catalog.Fault{}, Warnings: []catalog.Fault{}}
	if faults != nil {
		for f := range faults.All() {
			v.Faults = append(v.Faults, f)
		}
	} else {
		v.Warnings = append(v.Warnings, cat.Warnings()...)
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
		fmt.Fprintln(c.out, f)
	}
	for _, w := range v.Warnings {
		w.Problem = "warning: " + w.Problem
		fmt.Fprintln(c.out, w)
	}
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
