package schedule_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/catalog"
)

func TestAdaptive(t *testing.T) {
	t.Parallel()
	m := model("m", target("fast", 1), target("slow", 1))
	m.Strategy = catalog.Adaptive
	h := known{"fast": {Attempts: 100, Latency: 250 * time.Millisecond}, "slow": {Attempts: 100, Latency: time.Second}}
	var log bytes.Buffer
	r := newRig(t, offering(m), schedule.Config{Health: h, Log: slog.New(slog.NewTextHandler(&log, nil))})
	share := func() float64 {
		fast := 0
		for n := range 10_000 {
			if r.one(request(n)).Target == "fast" {
				fast++
			}
		}
		return float64(fast) / 10_000
	}

	if got := share(); got < 0.48 || got > 0.52 || log.Len() > 0 {
		t.Errorf("at first the fast one gets %.3f\n%s", got, &log)
	}
	r.now = r.now.Add(9 * time.Second)
	share()
	if log.Len() > 0 {
		t.Errorf("a step before its time:\n%s", &log)
	}
	r.now = r.now.Add(time.Second)
	share()
	if lines := strings.Count(log.String(), "\n"); lines != 2 || !strings.Contains(log.String(),
		`msg="weight follows what was measured" model=m target=fast from=1.00 to=1.19 why="answers in 250ms, the mean is 500ms"`) {
		t.Errorf("the log of the first step is\n%s", &log)
	}
	for range 30 {
		r.now = r.now.Add(10 * time.Second)
		r.one(request(1))
	}
	if got := share(); got < 0.76 || got > 0.82 { // 4 to 1, but for the last step that is not worth it
		t.Errorf("at last the fast one gets %.3f", got)
	}

	// The configuration changes: what was learned of the targets that stay holds.
	changed := model("m", target("new", 1), target("slow", 1), target("fast", 1))
	changed.Strategy = catalog.Adaptive
	r.catalog = offering(changed)
	if got := share(); got < 0.53 || got > 0.60 { // 2 of 3.5
		t.Errorf("with another target the fast one gets %.3f", got)
	}
}
