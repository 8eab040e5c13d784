package schedule_test

import (
	"context"
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
)

// A target that is out is passed over; when all are, the request waits for the first that could be back.
func Example() {
	c := &catalog.Catalog{Models: map[string]*catalog.Model{"m": {
		ID: "m", Strategy: catalog.Weighted, Attempts: 4,
		Targets: []*catalog.Target{{Name: "main", Weight: 9}, {Name: "spare", Weight: 1}},
	}}}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	targets := known{"main": {State: health.Open, Until: now.Add(time.Minute)}}
	handle := schedule.New(schedule.Config{
		Catalog: func() *catalog.Catalog { return c }, Now: func() time.Time { return now }, Health: targets,
	})

	body := []byte(`{"request_id":"r","model_id":"m","prompt":"hello"}`)
	request := events.New("search", events.Request{RequestID: "r", ModelID: "m"}, events.Normal, body, now, now.Add(time.Hour))
	out, err := handle(context.Background(), request)
	fmt.Println(out[0].Type.Step(), out[0].Target, err)

	targets["spare"] = health.Status{State: health.Open, Until: now.Add(time.Hour)}
	_, err = handle(context.Background(), request)
	fmt.Println(err)
	// Output:
	// scheduled spare <nil>
	// schedule: 77bba4ba-f411-53af-9cd9-990a447c17be-requested-0 waits: every target is out, the first that could be back is main
}
