package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/redisstate"
	"baton.dev/baton/internal/redistest"
)

// spendNow is in the middle of a day, a month and an hour.
var spendNow = time.Date(2026, 11, 24, 13, 30, 0, 0, time.UTC)

// count adds an attempt to the ledger.
func count(t *testing.T, store ledger.Book, at time.Time, id, tenant, model, target string, in, out int, cost catalog.Money) {
	t.Helper()
	usage := events.Usage{PromptTokens: in, CompletionTokens: out, TotalTokens: in + out}
	e := ledger.Entry{ID: id, Tenant: tenant, Model: model, Target: target, Usage: usage, Money: cost}
	if err := store.Count(t.Context(), at, e); err != nil {
		t.Fatal(err)
	}
}

// kept returns a ledger in which two days and two tenants spent something.
func kept(t *testing.T) *redisstate.Ledger {
	t.Helper()
	store := redisstate.NewLedger(redistest.StartMini(t))
	day := 24 * time.Hour
	count(t, store, spendNow, "a", "search", "gpt", "main", 1000, 200, 1_500_000)
	count(t, store, spendNow, "b", "search", "gpt", "spare", 10, 2, 15_000)
	count(t, store, spendNow, "c", "chat", "gpt", "main", 100, 20, 150_000)
	count(t, store, spendNow.Add(-day), "d", "chat", "llama", "own", 5000, 5000, 0)
	count(t, store, spendNow.Add(-30*day), "e", "chat", "llama", "own", 1, 1, 9_000_000)
	return store
}

func TestSpendSumsByWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	store := kept(t)
	for name, tc := range map[string]struct {
		ask  spendCommand
		want string
	}{
		"by tenant, model and target, the largest first": {spendCommand{By: []string{"tenant", "model", "target"}}, `
From 2026-10-26 to 2026-11-24, in UTC:

TENANT  MODEL  TARGET  ATTEMPTS  INPUT  OUTPUT   COST
search  gpt    main           1   1000     200   1.50
chat    gpt    main           1    100      20   0.15
search  gpt    spare          1     10       2  0.015
chat    llama  own            1   5000    5000   0.00
total                         4   6110    5222  1.665
`},
		"by day, the newest first": {spendCommand{By: []string{"day"}, From: "2026-10-01"}, `
From 2026-10-01 to 2026-11-24, in UTC:

DAY         ATTEMPTS  INPUT  OUTPUT    COST
2026-11-24         3   1110     222   1.665
2026-11-23         1   5000    5000    0.00
2026-10-25         1      1       1    9.00
total              5   6111    5223  10.665
`},
		"by tenant and day": {spendCommand{By: []string{"tenant", "day"}, To: "2026-11-24", From: "2026-11-23"}, `
From 2026-11-23 to 2026-11-24, in UTC:

TENANT  DAY         ATTEMPTS  INPUT  OUTPUT   COST
search  2026-11-24         2   1010     202  1.515
chat    2026-11-24         1    100      20   0.15
chat    2026-11-23         1   5000    5000   0.00
total                      4   6110    5222  1.665
`},
		"one day": {spendCommand{By: []string{"target"}, To: "2026-11-23", From: "2026-11-23"}, `
From 2026-11-23 to 2026-11-23, in UTC:

TARGET  ATTEMPTS  INPUT  OUTPUT  COST
own            1   5000    5000  0.00
total          1   5000    5000  0.00
`},
		"nothing": {
			spendCommand{By: []string{"target"}, To: "2026-11-22", From: "2026-11-20"},
			"\nNo attempt called a model from 2026-11-20 to 2026-11-22.\n",
		},
		"the oldest day that is kept": {
			spendCommand{By: []string{"day"}, To: "2025-10-20"},
			"\nNo attempt called a model from 2025-09-21 to 2025-10-20.\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, out, _ := quiet()
			if err := tc.ask.spend(t.Context(), c, store, spendNow); err != nil || "\n"+out.String() != tc.want {
				t.Errorf("%v:\n%s\nwant:%s", err, out, tc.want)
			}
		})
	}
}

func TestSpendShowsHowBudgetsStand(t *testing.T) {
	t.Parallel()
	store := kept(t)
	path := filepath.Join(t.TempDir(), "baton.yaml")
	config := fmt.Sprintf(`
models:
  m: {targets: [{name: a, api: simulated}]}
tenants:
  search: {keys: ["sha256:%064d"], budget: 10.00/day}
  chat: {keys: ["sha256:%064d"], budget: 0.50/month}
  free: {keys: ["sha256:%064d"]}
  idle: {keys: ["sha256:%064d"], budget: 7/hour}
`, 1, 2, 3, 4)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	reserve(t, store, "search/2026-11-24", "x", 2_500_000)
	if err := store.Settle(t.Context(), "search/2026-11-24", "y", 1_515_000, spendNow); err != nil {
		t.Fatal(err)
	}
	if err := store.Settle(t.Context(), "chat/2026-11", "z", 510_000, spendNow); err != nil {
		t.Fatal(err)
	}
	if err := store.Settle(t.Context(), "search/2026-11-23", "w", 5_000_000, spendNow); err != nil {
		t.Fatal(err)
	}
	c, out, _ := quiet()
	if err := (spendCommand{By: []string{"tenant"}, Config: path}).spend(t.Context(), c, store, spendNow); err != nil {
		t.Fatal(err)
	}
	want := `
TENANT  PERIOD ENDS               BUDGET  SPENT  RESERVED   LEFT
chat    2026-12-01T00:00:00Z  0.50/month   0.51      0.00   0.00
idle    2026-11-24T14:00:00Z   7.00/hour   0.00      0.00   7.00
search  2026-11-25T00:00:00Z   10.00/day  1.515      2.50  5.985
`
	if !strings.HasSuffix(out.String(), want) {
		t.Errorf("%s\nwant at its end:%s", out, want)
	}
	c, out, _ = quiet()
	if err := (spendCommand{By: []string{"tenant"}, Config: path, JSON: true}).spend(t.Context(), c, store, spendNow); err != nil {
		t.Fatal(err)
	}
	var s spending
	if err := json.Unmarshal([]byte(out.String()), &s); err != nil || len(s.Budgets) != 3 || s.Budgets[2].Left != 5_985_000 ||
		s.Budgets[2].EndsAt != time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC) {
		t.Errorf("%v:\n%s", err, out)
	}
}

func reserve(t *testing.T, store ledger.Accounts, account, id string, amount catalog.Money) {
	t.Helper()
	ok, err := store.Reserve(t.Context(), account, id, amount, 10_000_000, spendNow, spendNow.Add(time.Hour))
	if err != nil || !ok {
		t.Fatalf("reserve: %v, %v", ok, err)
	}
}

func TestSpendSaysWhatIsWrongWithDays(t *testing.T) {
	t.Parallel()
	for ask, want := range map[[2]string]string{
		{"yesterday", ""}:            `--from "yesterday": want a day such as 2026-01-02`,
		{"", "2026-11-31"}:           `--to "2026-11-31": want a day such as 2026-01-02`,
		{"2026-11-24", "2026-11-23"}: "--from 2026-11-24 is after --to 2026-11-23",
		{"2026-11-25", ""}:           "--from 2026-11-25 is after --to 2026-11-24",
		{"2025-10-19", ""}:           "kept for 400 days: the oldest is 2025-10-20",
		{"", "2025-10-19"}:           "kept for 400 days: the oldest is 2025-10-20",
		{"2025-10-20", "2026-11-25"}: "more than the 400 days that are kept",
	} {
		c, out, _ := quiet()
		err := (spendCommand{By: []string{"day"}, From: ask[0], To: ask[1]}).spend(t.Context(), c, ledger.NewMemory(), spendNow)
		if err == nil || !strings.Contains(err.Error(), want) || out.String() != "" {
			t.Errorf("%v: %v, want %q", ask, err, want)
		}
	}
	c, _, _ := quiet()
	if err := (spendCommand{By: []string{"day"}, From: "2025-10-20"}).spend(t.Context(), c, ledger.NewMemory(), spendNow); err != nil {
		t.Errorf("all that is kept: %v", err)
	}
}

func TestSpendAsACommand(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	url := "redis://" + server.Addr()
	client, err := redisstate.Open(url, redisstate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	count(t, redisstate.NewLedger(client), time.Now(), "a", "search", "gpt", "main", 7, 5, 1_230_000)

	status, out, stderr := baton(t, "spend", "--redis", url)
	if status != 0 || !strings.Contains(out, "search  gpt    main           1      7       5  1.23\n") {
		t.Errorf("exit %d:\n%s%s", status, out, stderr)
	}
	status, out, stderr = baton(t, "spend", "--redis", url, "--by", "day,tenant", "--json")
	var s spending
	if err := json.Unmarshal([]byte(out), &s); err != nil || status != 0 || len(s.Rows) != 1 || s.Rows[0].Tenant != "search" ||
		s.Rows[0].Day == "" || s.Rows[0].Model != "" || s.Total.Cost != 1_230_000 || s.Total.InputTokens != 7 || s.Budgets != nil {
		t.Errorf("exit %d, %v:\n%s%s", status, err, out, stderr)
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("models: {}\nbudgets: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--redis", url, "--by", "colour"}, 2, "--by"},
		{[]string{"--redis", url, "--by", ""}, 1, "--by: want one at least"},
		{[]string{"--redis", ""}, 1, "give --redis, or set BATON_REDIS_URL"},
		{[]string{}, 1, "a baton up without --redis keeps it in its own process, and cannot be asked"},
		{[]string{"--redis", "http://:secret@cache.example"}, 1, "not a URL such as rediss://"},
		{[]string{"--redis", "redis://:secret@" + freeAddress(t)}, 1, "redis is away"},
		{[]string{"--redis", url, "--config", bad}, 1, "is not valid"},
	} {
		status, out, stderr := baton(t, append([]string{"spend"}, tc.args...)...)
		if status != tc.status || !strings.Contains(stderr, tc.want) || strings.Contains(stderr, "secret") || out != "" {
			t.Errorf("%v: exit %d: %s%s, want %d and %q", tc.args, status, out, stderr, tc.status, tc.want)
		}
	}
}

// freeAddress returns an address at which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(context.WithoutCancel(t.Context()), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
