package replay_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/replay"
)

// recorded returns the trace of a real run.
func recorded(t *testing.T) *replay.Trace {
	t.Helper()
	return read(t, file(t, "chain.trace"))
}

func read(t *testing.T, text string) *replay.Trace {
	t.Helper()
	trace, err := replay.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

func file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// changed returns the configuration of the trace's time after the changes, each an old text and a new one.
func changed(t *testing.T, changes ...string) *catalog.Catalog {
	t.Helper()
	text := file(t, "chain.yaml")
	for i := 0; i < len(changes); i += 2 {
		if strings.Count(text, changes[i]) == 0 {
			t.Fatalf("there is no %q to change", changes[i])
		}
		text = strings.ReplaceAll(text, changes[i], changes[i+1])
	}
	return parsed(t, text)
}

func parsed(t *testing.T, text string) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func run(t *testing.T, trace *replay.Trace, o replay.Options) *replay.Report {
	t.Helper()
	r, err := replay.Run(t.Context(), trace, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// target returns the figures of a target; zeros if it has none.
func target(s replay.Side, name string) replay.TargetFigures {
	for _, t := range s.Targets {
		if t.Target == name {
			return t
		}
	}
	return replay.TargetFigures{}
}

// near reports whether two figures are within the share of each other, or within the absolute difference.
func near(a, b, share, absolute float64) bool {
	return math.Abs(a-b) <= max(share*math.Max(a, b), absolute)
}

func TestTheSameConfigurationComesToWhatWasRecorded(t *testing.T) {
	t.Parallel()
	r := run(t, recorded(t), replay.Options{Catalog: changed(t), Seed: 1})
	was, is := r.Recorded, r.Replayed
	if was.Requests != 200 || was.Completed != 200 || was.Attempts != 214 {
		t.Errorf("the recorded side is %+v", was)
	}
	if is.Requests != was.Requests || is.Completed != was.Completed || is.Failed != was.Failed || is.Attempts != was.Attempts || is.Cost != was.Cost {
		t.Errorf("replayed %+v, recorded %+v", is, was)
	}
	if len(is.Targets) != len(was.Targets) {
		t.Fatalf("replayed at %d targets, recorded at %d", len(is.Targets), len(was.Targets))
	}
	for i, want := range was.Targets {
		got := is.Targets[i]
		if got.Target != want.Target || got.Attempts != want.Attempts || got.Errors != want.Errors || got.Cost != want.Cost || got.Cost == 0 ||
			!near(got.MeanMS, want.MeanMS, 0, 0.001) {
			t.Errorf("replayed %+v, recorded %+v", got, want)
		}
	}
	// The lines say milliseconds, and hand-over is taken at its median: 5 % or 10 ms.
	for name, pair := range map[string][2]float64{
		"P50": {is.Latency.P50, was.Latency.P50}, "P90": {is.Latency.P90, was.Latency.P90},
		"P99": {is.Latency.P99, was.Latency.P99}, "max": {is.Latency.Max, was.Latency.Max},
	} {
		if !near(pair[0], pair[1], 0.05, 10) {
			t.Errorf("latency %s is %.1f ms, recorded %.1f ms", name, pair[0], pair[1])
		}
	}
	if !near(is.QueueShare, was.QueueShare, 0, 0.03) || was.QueueShare < 0.1 {
		t.Errorf("%.3f of the time is waiting, recorded %.3f", is.QueueShare, was.QueueShare)
	}
	if len(r.Notes) > 0 {
		t.Errorf("there is nothing to note, and %q is noted", r.Notes)
	}
}

func TestAChangedConfigurationShowsItsEffect(t *testing.T) {
	t.Parallel()
	trace := recorded(t)
	plain := run(t, trace, replay.Options{Catalog: changed(t), Seed: 1}).Replayed
	t.Run("weights move the requests and the cost", func(t *testing.T) {
		t.Parallel()
		got := run(t, trace, replay.Options{Catalog: changed(t, "weight: 3, concurrency: 4", "weight: 1, concurrency: 8", "weight: 1, concurrency: 2", "weight: 3, concurrency: 8"), Seed: 1}).Replayed
		if share := target(got, "slow").Share; !near(share, 0.75, 0, 0.1) || got.Cost >= plain.Cost || got.Completed != 200 {
			t.Errorf("slow has %.3f of the attempts, for %v; before it was %v", share, got.Cost, plain.Cost)
		}
		if got.Latency.P50 <= plain.Latency.P50 {
			t.Errorf("P50 is %.1f ms, and with the faster target preferred %.1f ms", got.Latency.P50, plain.Latency.P50)
		}
	})
	t.Run("a target that is taken out leaves its requests to the others", func(t *testing.T) {
		t.Parallel()
		got := run(t, trace, replay.Options{Catalog: parsed(t, "models: {chat: {attempts: 4, targets: [{name: slow, api: simulated, concurrency: 2}]}}"), Seed: 1})
		if f := target(got.Replayed, "slow"); f.Share != 1 || f.Attempts < 200 || got.Replayed.Completed != 200 {
			t.Errorf("slow is %+v of %+v", f, got.Replayed)
		}
		// Eight seconds of requests that come at a rate of twice what two at once can do.
		if got.Replayed.Latency.Max < 4000 || got.Replayed.QueueShare < 0.8 {
			t.Errorf("the latency is %+v, %.2f of it waiting", got.Replayed.Latency, got.Replayed.QueueShare)
		}
		if !slices.ContainsFunc(got.Notes, func(n string) bool { return strings.Contains(n, "fast") && strings.Contains(n, "baseline") }) {
			t.Errorf("that fast has no price any more is not noted: %q", got.Notes)
		}
		priced := run(t, trace, replay.Options{Catalog: parsed(t, "models: {chat: {targets: [{name: slow, api: simulated}]}}"), Baseline: changed(t), Seed: 1})
		if priced.Recorded.Cost != plain.Cost || len(priced.Notes) > 0 {
			t.Errorf("by the baseline the trace cost %v, want %v; %q", priced.Recorded.Cost, plain.Cost, priced.Notes)
		}
	})
	canary := []string{"targets:\n      - {name: fast", "targets:\n      - {name: next, api: openai, url: 'https://models.example.com/v1', canary: 20%}\n      - {name: fast"}
	t.Run("a canary takes its share", func(t *testing.T) {
		t.Parallel()
		got := run(t, trace, replay.Options{Catalog: changed(t, canary...), Seed: 1, Assume: map[string]replay.Assumption{
			"next": {P50: 20 * time.Millisecond, P99: 40 * time.Millisecond},
		}}).Replayed
		if f := target(got, "next"); !near(float64(f.Attempts), 40, 0, 15) || f.Errors > 0 || !near(f.MeanMS, 20, 0, 5) {
			t.Errorf("next is %+v", f)
		}
	})
	t.Run("a bad canary is rolled back", func(t *testing.T) {
		t.Parallel()
		got := run(t, trace, replay.Options{Catalog: changed(t, canary...), Seed: 1, Assume: map[string]replay.Assumption{
			"next": {P50: 20 * time.Millisecond, P99: 40 * time.Millisecond, ErrorRate: 1},
		}}).Replayed
		if f := target(got, "next"); f.Attempts == 0 || f.Attempts > 25 || f.ErrorRate != 1 || got.Completed != 200 {
			t.Errorf("next is %+v, %d completed", f, got.Completed)
		}
	})
	t.Run("a slow canary is rolled back", func(t *testing.T) {
		t.Parallel()
		half := slices.Clone(canary)
		half[1] = strings.Replace(half[1], "20%", "50%", 1)
		got := run(t, trace, replay.Options{Catalog: changed(t, half...), Seed: 1, Assume: map[string]replay.Assumption{
			"next": {P50: 900 * time.Millisecond, P99: time.Second},
		}}).Replayed
		if f := target(got, "next"); f.Attempts < 20 || f.Attempts > 60 || f.Errors > 0 || got.Completed != 200 {
			t.Errorf("next is %+v, %d completed", f, got.Completed)
		}
	})
	t.Run("less concurrency is more waiting", func(t *testing.T) {
		t.Parallel()
		got := run(t, trace, replay.Options{Catalog: changed(t, "concurrency: 4, timeout", "concurrency: 2, timeout"), Seed: 1}).Replayed
		if got.QueueShare <= plain.QueueShare+0.1 || got.Latency.P90 <= plain.Latency.P90 {
			t.Errorf("%.2f of %+v is waiting, before %.2f of %+v", got.QueueShare, got.Latency, plain.QueueShare, plain.Latency)
		}
	})
	t.Run("a shorter timeout cuts calls off", func(t *testing.T) {
		t.Parallel()
		got := run(t, trace, replay.Options{Catalog: changed(t, "timeout: 2s", "timeout: 150ms"), Seed: 1}).Replayed
		if f := target(got, "slow"); f.ErrorRate < 0.5 || f.MeanMS > 150 || target(got, "spare").Attempts == 0 {
			t.Errorf("slow is %+v, spare %+v", f, target(got, "spare"))
		}
	})
	t.Run("a model that is gone fails its requests", func(t *testing.T) {
		t.Parallel()
		got := run(t, trace, replay.Options{Catalog: parsed(t, "models: {other: {targets: [{name: o, api: simulated}]}}"), Seed: 1}).Replayed
		if got.Failed != 200 || got.FailedByCode[events.CodeModelNotOffered] != 200 || got.Attempts != 0 {
			t.Errorf("replayed %+v", got)
		}
	})
	t.Run("a shadow costs and nothing follows from it", func(t *testing.T) {
		t.Parallel()
		got := run(t, trace, replay.Options{Catalog: changed(t, "targets:\n      - {name: fast",
			"targets:\n      - {name: twin, api: simulated, shadow: 50%, price: {input: 1, output: 1}}\n      - {name: fast"), Seed: 1}).Replayed
		if f := target(got, "twin"); !near(float64(f.Shadows), 100, 0, 25) || f.Attempts != 0 || f.Cost == 0 || got.Attempts != plain.Attempts ||
			got.Cost != plain.Cost+f.Cost {
			t.Errorf("twin is %+v; %d attempts for %v, before %d for %v", f, got.Attempts, got.Cost, plain.Attempts, plain.Cost)
		}
	})
}

func TestATargetThatNothingIsKnownOfIsAnErrorThatSaysWhatToDo(t *testing.T) {
	t.Parallel()
	c := parsed(t, `models: {chat: {targets: [{name: fast, api: simulated}, {name: new, api: openai, url: "https://models.example.com/v1"}]}}`)
	_, err := replay.Run(t.Context(), recorded(t), replay.Options{Catalog: c, Assume: map[string]replay.Assumption{"fats": {}}})
	for _, want := range []string{"target new of model chat", "--assume new=P50,P99,ERRORS", "fats"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}

func TestTheSeedDecides(t *testing.T) {
	t.Parallel()
	trace := recorded(t)
	report := func(seed uint64) string {
		r := run(t, trace, replay.Options{Catalog: changed(t, "weight: 3", "weight: 1"), Seed: seed})
		text, err := json.Marshal(r.Replayed)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if one, again := report(1), report(1); one != again {
		t.Errorf("the same seed gave\n%s\nand\n%s", one, again)
	}
	if one, two := report(1), report(2); one == two {
		t.Error("another seed gave the same")
	}
}
