package ledger_test

import (
	"context"
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
)

func Example() {
	ctx, now := context.Background(), time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC)
	budget := catalog.Budget{Amount: 50_000, Period: catalog.Day}                                    // 0.05 a day
	target := &catalog.Target{Price: catalog.Price{Input: 10_000, Output: 30_000}, MaxTokens: 1_000} // 10.00 and 30.00 for a million
	books := ledger.NewMemory()

	account, ends := ledger.Account("search", budget, now)
	prompt := "6 times 7?"
	request := ledger.Bound(events.Request{Prompt: &prompt}, target)
	fmt.Printf("%s, max_tokens %s, at most %d\n", account, request.Parameters["max_tokens"], ledger.Most(target, request))

	// Each execution of an attempt has an id of its own: that of the attempt, and the token of its lease.
	for _, id := range []string{"a-scheduled-1#1", "b-scheduled-1#1"} {
		ok, err := books.Reserve(ctx, account, id, ledger.Most(target, request), budget.Amount, now, ends)
		fmt.Println(id, ok, err)
	}
	cost := ledger.Cost(target.Price, events.Usage{PromptTokens: 12, CompletionTokens: 2, TotalTokens: 14})
	if err := books.Settle(ctx, account, "a-scheduled-1#1", cost, now); err != nil {
		fmt.Println(err)
	}
	spent, err := books.Spent(ctx, account)
	fmt.Printf("%+v %v\n", spent, err)
	// Output:
	// search/2026-11-24, max_tokens 1000, at most 31180
	// a-scheduled-1#1 true <nil>
	// b-scheduled-1#1 false <nil>
	// {Spent:0.00018 Reserved:0.00} <nil>
}
