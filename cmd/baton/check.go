package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"baton.dev/baton/internal/catalog"
)

type checkCommand struct {
	File string `arg:"" help:"The configuration."`
	JSON bool   `name:"json" help:"Print the faults as JSON."`
}

// verdict is what check says in JSON.
type verdict struct {
	Valid    bool            `json:"valid"`
	Faults   []catalog.Fault `json:"faults,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
}

func (k checkCommand) Run(c *console) error {
	cat, err := catalog.Load(k.File)
	faults, ok := errors.AsType[*catalog.Faults](err)
	if err != nil && !ok {
		return err
	}
	v := verdict{Valid: err == nil}
	if faults != nil {
		for f := range faults.All() {
			v.Faults = append(v.Faults, f)
		}
	} else {
		v.Warnings = cat.Warnings()
	}
	if k.JSON {
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return fmt.Errorf("check: %w", err)
		}
		fmt.Fprintf(c.out, "%s\n", text)
	} else {
		k.say(c, v, cat, faults)
	}
	if !v.Valid {
		return errSaid
	}
	return nil
}

func (k checkCommand) say(c *console, v verdict, cat *catalog.Catalog, faults *catalog.Faults) {
	for _, f := range v.Faults {
		fmt.Fprintln(c.out, f)
	}
	for _, w := range v.Warnings {
		fmt.Fprintln(c.out, "warning:", w)
	}
	if v.Valid {
		fmt.Fprintf(c.out, "%s is valid: %s.\n", k.File, cat.Count())
		return
	}
	fmt.Fprintf(c.out, "%s has %s.\n", k.File, faults.Count())
}
