package replay_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"baton.dev/baton/internal/replay"
)

var update = flag.Bool("update", false, "write the goldens anew")

func TestTheReportReadsWell(t *testing.T) {
	t.Parallel()
	r := &replay.Report{
		From: at, To: at.Add(90_000_000_000), Seed: 7,
		Recorded: replay.Side{
			Requests: 12034, Completed: 12000, Failed: 30, FailedByCode: map[string]int{"attempts_spent": 28, "deadline_exceeded": 2}, Unfinished: 4,
			Latency: replay.Latency{P50: 12.34, P90: 250, P99: 12_345, Max: 60_000}, QueueShare: 0.25, Attempts: 13000, AttemptsPerRequest: 1.08,
			Cost: 12_340_000, Targets: []replay.TargetFigures{
				{Target: "old", Attempts: 13000, Share: 1, Errors: 1300, ErrorRate: 0.1, MeanMS: 240, Unpriced: true},
			},
		},
		Replayed: replay.Side{
			Requests: 12034, Completed: 12034, Cached: 34, FailedByCode: map[string]int{},
			Latency: replay.Latency{P50: 12.34, P90: 200, P99: 2345, Max: 600_000}, QueueShare: 0.05, Attempts: 12000, AttemptsPerRequest: 0.997,
			Cost: 6_170_000, Targets: []replay.TargetFigures{
				{Target: "new", Attempts: 12000, Share: 1, MeanMS: 24.5, Shadows: 5, Cost: 6_170_000},
			},
		},
		Notes: []string{"The last line of the trace was cut off and is left out."},
	}
	var got bytes.Buffer
	if err := r.WriteText(&got); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/report.txt"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := file(t, "report.txt"); got.String() != want {
		t.Errorf("the report reads\n%s\nwant\n%s", &got, want)
	}
}
