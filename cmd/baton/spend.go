package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/redisstate"
)

type spendCommand struct {
	Redis  string   `help:"Redis of the chain." env:"BATON_REDIS_URL" placeholder:"URL"`
	From   string   `help:"First day, in UTC; 29 days before the last if not given." placeholder:"DATE"`
	To     string   `help:"Last day, in UTC; today if not given." placeholder:"DATE"`
	By     []string `help:"What to sum by: ${enum}." enum:"day,tenant,model,target" default:"tenant,model,target"`
	Config string   `help:"Show also how the budgets of this configuration stand." type:"existingfile" placeholder:"FILE"`
	JSON   bool     `name:"json" help:"Print one JSON object."`
}

func (spendCommand) Help() string {
	return `Sums what the attempts took that called a model: how many, their tokens, and what they cost by
the prices of the configuration at the time. The newest day stands first, and in it the
largest amount.

  baton spend                                   the last 30 days, by tenant, model and target
  baton spend --by day --from 2026-11-01        a line a day
  baton spend --by tenant --config baton.yaml   and what is left of each budget

Days are in UTC and are kept for 400 days. A target without a price costs nothing, and the calls
of shadows are not in it. In JSON, amounts are in millionths of the unit that the prices are in.`
}

// spentRow is what some attempts took together. The names that it is not summed by are empty.
type spentRow struct {
	Day          string        `json:"day,omitempty"`
	Tenant       string        `json:"tenant,omitempty"`
	Model        string        `json:"model,omitempty"`
	Target       string        `json:"target,omitempty"`
	Attempts     int64         `json:"attempts"`
	InputTokens  int64         `json:"input_tokens"`
	OutputTokens int64         `json:"output_tokens"`
	Cost         catalog.Money `json:"cost_millionths"`
}

// budgetRow is how the budget of a tenant stands in the period that is running.
type budgetRow struct {
	Tenant   string         `json:"tenant"`
	Budget   catalog.Money  `json:"budget_millionths"`
	Period   catalog.Period `json:"period"`
	Spent    catalog.Money  `json:"spent_millionths"`
	Reserved catalog.Money  `json:"reserved_millionths"` // for attempts that are under way, or were lost
	Left     catalog.Money  `json:"left_millionths"`
	EndsAt   time.Time      `json:"ends_at"`
}

// spending is what spend says in JSON.
type spending struct {
	From    string      `json:"from"`
	To      string      `json:"to"`
	By      []string    `json:"by"`
	Rows    []spentRow  `json:"rows"`
	Total   spentRow    `json:"total"`
	Budgets []budgetRow `json:"budgets,omitzero"` // absent without a configuration
}

func (s spendCommand) Run(ctx context.Context, c *console) error {
	if s.Redis == "" {
		return errors.New("spend: what was spent is kept in the chain's Redis: give --redis, or set BATON_REDIS_URL; " +
			"a baton up without --redis keeps it in its own process, and cannot be asked")
	}
	client, err := redisstate.Open(s.Redis, redisstate.Options{DialTimeout: operatorWait})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // it was only read
	return s.spend(ctx, c, redisstate.NewLedger(client), time.Now())
}

func (s spendCommand) spend(ctx context.Context, c *console, store ledger.Store, now time.Time) error {
	if len(s.By) == 0 {
		return errors.New("spend: --by: want one at least of day, tenant, model and target")
	}
	from, to, err := s.days(now)
	if err != nil {
		return err
	}
	var cat *catalog.Catalog
	if s.Config != "" {
		if cat, err = configuration(s.Config); err != nil {
			return err
		}
	}
	totals, err := store.Totals(ctx, from, to)
	if err != nil {
		return err
	}
	found := spending{From: ledger.Day(from), To: ledger.Day(to), By: s.By}
	found.Rows, found.Total = sums(totals, s.By)
	if cat != nil {
		if found.Budgets, err = budgets(ctx, store, cat, now); err != nil {
			return err
		}
	}
	if s.JSON {
		return printJSON(c.out, found)
	}
	found.say(c.out)
	return nil
}

// days returns the first and the last day that are asked for.
func (s spendCommand) days(now time.Time) (from, to time.Time, err error) {
	to = now.UTC()
	if s.To != "" {
		if to, err = time.Parse(time.DateOnly, s.To); err != nil {
			return from, to, fmt.Errorf("spend: --to %q: want a day such as 2026-01-02", s.To)
		}
	}
	from = to.AddDate(0, 0, -29)
	if s.From != "" {
		if from, err = time.Parse(time.DateOnly, s.From); err != nil {
			return from, to, fmt.Errorf("spend: --from %q: want a day such as 2026-01-02", s.From)
		}
	}
	first, last := ledger.Day(from), ledger.Day(to)
	oldest := ledger.Day(now.AddDate(0, 0, -ledger.KeptDays))
	switch {
	case last < first:
		return from, to, fmt.Errorf("spend: --from %s is after --to %s", first, last)
	case last < oldest || s.From != "" && first < oldest:
		return from, to, fmt.Errorf("spend: days are kept for %d days: the oldest is %s", ledger.KeptDays, oldest)
	default:
		return from, to, nil
	}
}

// sums adds up totals by the columns, newest day first, and in it by falling cost and tokens.
func sums(totals []ledger.Total, by []string) (rows []spentRow, total spentRow) {
	sum := map[spentRow]*spentRow{}
	for _, t := range totals {
		key, names := spentRow{}, spentRow{Day: t.Day, Tenant: t.Tenant, Model: t.Model, Target: t.Target}
		for _, column := range by {
			*key.name(column) = *names.name(column)
		}
		row := sum[key]
		if row == nil {
			row = new(key)
			sum[key] = row
		}
		row.add(t)
		total.add(t)
	}
	rows = make([]spentRow, 0, len(sum))
	for _, row := range sum {
		rows = append(rows, *row)
	}
	slices.SortFunc(rows, func(a, b spentRow) int {
		return cmp.Or(
			cmp.Compare(b.Day, a.Day), cmp.Compare(b.Cost, a.Cost),
			cmp.Compare(b.InputTokens+b.OutputTokens, a.InputTokens+a.OutputTokens), cmp.Compare(b.Attempts, a.Attempts),
			cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Target, b.Target),
		)
	})
	return rows, total
}

// name returns where the row keeps the name of a column.
func (r *spentRow) name(column string) *string {
	switch column {
	case "day":
		return &r.Day
	case "tenant":
		return &r.Tenant
	case "model":
		return &r.Model
	default:
		return &r.Target
	}
}

func (r *spentRow) add(t ledger.Total) {
	r.Attempts += t.Attempts
	r.InputTokens += t.InputTokens
	r.OutputTokens += t.OutputTokens
	r.Cost += t.Money
}

// budgets returns how the budgets of the configuration stand, by the tenants' names.
func budgets(ctx context.Context, store ledger.Accounts, cat *catalog.Catalog, now time.Time) ([]budgetRow, error) {
	rows := []budgetRow{}
	for _, name := range slices.Sorted(maps.Keys(cat.Tenants)) {
		b := cat.Tenants[name].Budget
		if b.Amount == 0 {
			continue
		}
		account, ends := ledger.Account(name, b, now)
		spent, err := store.Spent(ctx, account)
		if err != nil {
			return nil, err
		}
		rows = append(rows, budgetRow{
			Tenant: name, Budget: b.Amount, Period: b.Period, Spent: spent.Spent, Reserved: spent.Reserved,
			Left: max(0, b.Amount-spent.Spent-spent.Reserved), EndsAt: ends,
		})
	}
	return rows, nil
}

// say prints it for a person to read.
func (s spending) say(w io.Writer) {
	if len(s.Rows) == 0 {
		fmt.Fprintf(w, "No attempt called a model from %s to %s.\n", s.From, s.To)
	} else {
		fmt.Fprintf(w, "From %s to %s, in UTC:\n\n", s.From, s.To)
		s.table().write(w)
	}
	switch {
	case s.Budgets == nil:
	case len(s.Budgets) == 0:
		fmt.Fprintln(w, "\nNo tenant of the configuration has a budget.")
	default:
		fmt.Fprintln(w)
		t := spendTable{names: 2, lines: [][]string{{"TENANT", "PERIOD ENDS", "BUDGET", "SPENT", "RESERVED", "LEFT"}}}
		for _, b := range s.Budgets {
			t.lines = append(t.lines, []string{
				b.Tenant, b.EndsAt.Format(time.RFC3339), b.Budget.String() + "/" + string(b.Period),
				b.Spent.String(), b.Reserved.String(), b.Left.String(),
			})
		}
		t.write(w)
	}
}

// table is the rows with a head above and their total below.
func (s spending) table() spendTable {
	head := strings.Split(strings.ToUpper(strings.Join(s.By, " ")), " ")
	t := spendTable{names: len(s.By), lines: [][]string{append(head, "ATTEMPTS", "INPUT", "OUTPUT", "COST")}}
	for _, r := range s.Rows {
		t.lines = append(t.lines, r.cells(s.By))
	}
	total := s.Total.cells(s.By)
	total[0] = "total"
	t.lines = append(t.lines, total)
	return t
}

// cells returns the names of the columns, and the numbers.
func (r *spentRow) cells(by []string) []string {
	cells := make([]string, 0, len(by)+4)
	for _, column := range by {
		cells = append(cells, *r.name(column))
	}
	for _, n := range []int64{r.Attempts, r.InputTokens, r.OutputTokens} {
		cells = append(cells, strconv.FormatInt(n, 10))
	}
	return append(cells, r.Cost.String())
}

// spendTable is lines of as many cells each: names first, which stand to the left, and then numbers, to the right.
type spendTable struct {
	lines [][]string
	names int
}

func (t spendTable) write(w io.Writer) {
	widths := make([]int, len(t.lines[0]))
	for _, line := range t.lines {
		for i, cell := range line {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, line := range t.lines {
		for i, cell := range line {
			if i < t.names {
				line[i] = fmt.Sprintf("%-*s", widths[i], cell)
			} else {
				line[i] = fmt.Sprintf("%*s", widths[i], cell)
			}
		}
		fmt.Fprintln(w, strings.Join(line, "  "))
	}
}
