package health_test

import (
	"context"
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/health"
)

// Two processes share what they know of a target.
func Example() {
	ctx, now := context.Background(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	config := health.Config{
		Store:   health.NewMemory(),
		Targets: func() []string { return []string{"openai-main"} },
		Now:     func() time.Time { return now },
	}
	one, two := health.New(config), health.New(config)

	one.Report(health.Outcome{
		Target: "openai-main", Code: events.CodeRateLimited, Latency: 80 * time.Millisecond, RetryAt: now.Add(30 * time.Second),
	})
	_ = one.Sync(ctx) // Run does this four times a second
	_ = two.Sync(ctx)

	status := two.Status("openai-main")
	_, ok := two.Admit(ctx, "openai-main")
	fmt.Println(status.State, "until", status.Until.Format(time.TimeOnly), "admits:", ok)

	now = now.Add(30 * time.Second)
	probe, ok := two.Admit(ctx, "openai-main")
	fmt.Println(two.Status("openai-main").State, "admits:", ok, "as a probe:", probe)
	two.Report(health.Outcome{Target: "openai-main", Probe: probe})
	// Output:
	// open until 12:00:30 admits: false
	// half_open admits: true as a probe: true
}
