package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

type deadListCommand struct {
	deadFlags
	deadFilter

	JSON bool `name:"json" help:"Print each as a JSON object, a line each."`
}

func (deadListCommand) Help() string {
	return `Lists what left the chain and waits for an operator, oldest first. AGE is since it died,
TRIES how often its function tried it.

  baton dead list --reason undelivered --since 24h
  baton dead list --json | jq -r 'select(.tenant == "search") | .id'`
}

// listed is a dead letter in a list.
type listed struct {
	ID       string          `json:"id"`
	Hop      events.Hop      `json:"hop"`
	Reason   events.Reason   `json:"reason"`
	Detail   string          `json:"detail,omitempty"`
	Tenant   string          `json:"tenant,omitempty"`
	Priority events.Priority `json:"priority,omitempty"`
	Model    string          `json:"model,omitempty"`
	DiedAt   time.Time       `json:"died_at,omitzero"`
	Tries    int             `json:"tries"`
}

func listedOf(e events.Event) listed {
	return listed{
		ID: e.ID, Hop: e.Dead.Hop, Reason: e.Dead.Reason, Detail: e.Dead.Detail, Tenant: e.Tenant, Priority: e.Priority,
		Model: e.Model, DiedAt: e.Dead.Time.UTC(), Tries: e.Tries + 1,
	}
}

func (d deadListCommand) Run(ctx context.Context, c *console) error {
	bus, done, err := d.open(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	return d.list(ctx, c, bus, time.Now())
}

func (d deadListCommand) list(ctx context.Context, c *console, bus hop.DeadLetters, now time.Time) error {
	takes, err := d.parse(now)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	shown, all, foreign := 0, 0, 0
	for l, err := range letters(ctx, bus) {
		if errors.Is(err, errForeign) {
			foreign++
			continue
		}
		if err != nil {
			return err
		}
		all++
		if !takes(l.Event) {
			continue
		}
		shown++
		row := listedOf(l.Event)
		if d.JSON {
			if err := lineJSON(c.out, row); err != nil {
				return fmt.Errorf("dead list: %w", err)
			}
			continue
		}
		if shown == 1 {
			fmt.Fprintln(table, "ID\tHOP\tREASON\tTENANT\tMODEL\tSINCE\tAGE\tTRIES\tDETAIL")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", row.ID, row.Hop, row.Reason, orDash(row.Tenant),
			orDash(row.Model), row.DiedAt.Format(time.RFC3339), age(row.DiedAt, now), row.Tries, orDash(row.Detail))
	}
	if foreign > 0 {
		fmt.Fprintf(c.err, "%s of another kind lie among the dead letters and are left out\n", counted(foreign, "message"))
	}
	if d.JSON {
		return nil
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("dead list: %w", err)
	}
	switch {
	case all == 0:
		fmt.Fprintln(c.out, "No dead letters.")
	case shown < all:
		fmt.Fprintf(c.out, "%d of %s.\n", shown, counted(all, "dead letter"))
	default:
		fmt.Fprintf(c.out, "%s.\n", counted(all, "dead letter"))
	}
	return nil
}
