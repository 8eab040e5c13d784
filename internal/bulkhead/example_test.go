package bulkhead_test

import (
	"context"
	"fmt"
	"time"

	"baton.dev/baton/internal/bulkhead"
)

func ExampleBulkhead_Enter() {
	store := bulkhead.NewMemory() // in the chain one that all processes share
	one := bulkhead.New(bulkhead.Config{Store: store})
	other := bulkhead.New(bulkhead.Config{Store: store})

	leave, err := one.Enter(context.Background(), "openai-main", "01JQ-scheduled-1", 1)
	fmt.Println("the first:", err)

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = other.Enter(ctx, "openai-main", "01JR-scheduled-1", 1)
	fmt.Println("the second:", err)
	leave()
	// Output:
	// the first: <nil>
	// the second: bulkhead: enter openai-main: context deadline exceeded
}
