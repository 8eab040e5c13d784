package lease_test

import (
	"context"
	"fmt"

	"baton.dev/baton/internal/lease"
)

func ExampleLeases_Hold() {
	leases, err := lease.New(lease.Config{Store: lease.NewMemory()})
	if err != nil {
		fmt.Println(err)
		return
	}
	work := func(ctx context.Context) {
		held, grant, err := leases.Hold(ctx, "01JQ-scheduled-1")
		switch {
		case err != nil:
			fmt.Println("nobody can say:", err)
		case grant.Outcome != nil:
			fmt.Printf("done before: %s\n", grant.Outcome)
		case held == nil:
			fmt.Println("another is at it")
		default:
			outcome := call(held.Context())
			if ok, err := held.Finish(ctx, outcome); !ok || err != nil {
				fmt.Println("not ours any more")
				return
			}
			fmt.Printf("done: %s\n", outcome)
		}
	}
	work(context.Background())
	work(context.Background())
	// Output:
	// done: an answer
	// done before: an answer
}

// call stands for what may be done by one at a time.
func call(context.Context) []byte { return []byte("an answer") }
