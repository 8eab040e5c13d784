package replay_test

import (
	"context"
	"fmt"
	"strings"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/replay"
)

// A target answered after two seconds. What if another, which takes one, had every request?
func ExampleRun() {
	trace, err := replay.Read(strings.NewReader(`
{"v":1,"at":"2026-01-02T03:04:05Z","event":"requested","message_id":"m1","priority":"normal","model":"chat"}
{"v":1,"at":"2026-01-02T03:04:05Z","event":"scheduled","message_id":"m1","target":"old","attempt":1}
{"v":1,"at":"2026-01-02T03:04:07Z","event":"completed","message_id":"m1","target":"old","attempt":1,"inference_ms":2000}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	config, err := catalog.Parse("new.yaml", []byte(`models: {chat: {targets: [{name: new, api: simulated}]}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, second, err := replay.ParseAssumption("new=1s,1s")
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := replay.Run(context.Background(), trace, replay.Options{
		Catalog: config, Seed: 1, Assume: map[string]replay.Assumption{"new": second},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("recorded %.0f ms at %s\n", r.Recorded.Latency.P50, r.Recorded.Targets[0].Target)
	fmt.Printf("replayed %.0f ms at %s\n", r.Replayed.Latency.P50, r.Replayed.Targets[0].Target)
	// Output:
	// recorded 2000 ms at old
	// replayed 1000 ms at new
}
