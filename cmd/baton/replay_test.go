package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton.dev/baton/internal/replay"
)

// written returns the path of a new file with the content.
func written(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestATraceIsRecordedAndReplayed(t *testing.T) {
	t.Parallel()
	url, key, nats, data := upAndRunning(t)
	trace := filepath.Join(t.TempDir(), "new.trace")
	var out, stderr output
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"watch", "--nats", nats, "--trace", trace}, strings.NewReader(""), &out, &stderr, func(string) string { return "" })
	}()
	stderr.find(t, "watching")
	const requests = 5
	for range requests {
		if status, _, err := baton(t, "send", "--url", url, "--key", key, "--model", "llama-3-70b", "--wait", "a secret prompt"); status != 0 {
			t.Fatal(err)
		}
	}
	// The last line is written when the last result is known, or a little after.
	var text string
	for strings.Count(text, `"completed"`) < requests {
		b, err := os.ReadFile(trace)
		if err != nil || t.Context().Err() != nil {
			t.Fatalf("%v, %v:\n%s", err, t.Context().Err(), text)
		}
		text = string(b)
	}
	cancel()
	if status := <-done; status != 0 || !strings.Contains(stderr.String(), "recorded 15 lines of 5 requests") || out.String() != "" {
		t.Errorf("exit %d: %s%s", status, &stderr, &out)
	}
	if strings.Contains(text, "secret") || strings.Contains(text, key) {
		t.Errorf("the trace has what is the caller's:\n%s", text)
	}

	config := filepath.Join(data, "baton.yaml")
	status, printed, errs := baton(t, "replay", trace, "--config", config)
	if status != 0 || !strings.HasPrefix(printed, "5 requests of ") || !strings.Contains(printed, "sim-llama") {
		t.Errorf("exit %d: %s%s", status, printed, errs)
	}
	status, printed, errs = baton(t, "replay", trace, "--config", config, "--baseline", config, "--json")
	var r replay.Report
	if err := json.Unmarshal([]byte(printed), &r); err != nil || status != 0 || r.Recorded.Completed != requests || r.Replayed.Completed != requests || r.Replayed.Attempts != requests {
		t.Errorf("exit %d, %v: %s%s", status, err, printed, errs)
	}
	if status, _, err := baton(t, "watch", "--nats", nats, "--trace", trace, "--json"); status != 2 || err == "" {
		t.Errorf("both forms: exit %d: %s", status, err)
	}
}

func TestWatchRefusesATraceThatIsThereBeforeItConnects(t *testing.T) {
	t.Parallel()
	nowhere := "nats://" + freeAddress(t)
	trace := written(t, "monday.trace", oneRequest)
	if status, _, err := baton(t, "watch", "--nats", nowhere, "--trace", trace); status != 1 || !strings.Contains(err, "monday.trace is there already") {
		t.Errorf("exit %d: %s", status, err)
	}
	if text, err := os.ReadFile(trace); err != nil || string(text) != oneRequest {
		t.Errorf("it is changed, %v:\n%s", err, text)
	}
}

func TestWatchLeavesNoTraceWhereThereIsNoServer(t *testing.T) {
	t.Parallel()
	trace := filepath.Join(t.TempDir(), "new.trace")
	if status, _, err := baton(t, "watch", "--nats", "nats://"+freeAddress(t), "--trace", trace); status != 1 || err == "" {
		t.Errorf("exit %d: %s", status, err)
	}
	if _, err := os.Stat(trace); !os.IsNotExist(err) {
		t.Errorf("the trace: %v, want none", err)
	}
}

const oneRequest = `{"v":1,"at":"2026-01-02T03:04:05Z","event":"requested","message_id":"m1","priority":"normal","model":"chat"}
{"v":1,"at":"2026-01-02T03:04:05Z","event":"scheduled","message_id":"m1","target":"old","attempt":1}
{"v":1,"at":"2026-01-02T03:04:07Z","event":"completed","message_id":"m1","target":"old","attempt":1,"inference_ms":2000}
`

func TestReplayReadsItsInput(t *testing.T) {
	t.Parallel()
	config := written(t, "new.yaml", "models: {chat: {targets: [{name: old, api: simulated}]}}")
	var out, stderr output
	status := run(t.Context(), []string{"replay", "-", "--config", config}, strings.NewReader(oneRequest), &out, &stderr, func(string) string { return "" })
	if status != 0 || !strings.Contains(out.String(), "2000 ms") {
		t.Errorf("exit %d: %s%s", status, &out, &stderr)
	}
}

func TestReplayTakesAssumptions(t *testing.T) {
	t.Parallel()
	trace := written(t, "a.trace", oneRequest)
	config := written(t, "new.yaml", "models: {chat: {targets: [{name: new, api: openai, url: \"https://models.example.com/v1\"}]}}")
	if status, _, err := baton(t, "replay", trace, "--config", config); status != 1 || !strings.Contains(err, "--assume new=") {
		t.Errorf("without one: exit %d: %s", status, err)
	}
	status, out, err := baton(t, "replay", trace, "--config", config, "--assume", "new=1s,1s,0%")
	if status != 0 || !strings.Contains(out, "1000 ms") || !strings.Contains(out, "Note: Target new is assumed") {
		t.Errorf("exit %d: %s%s", status, out, err)
	}
}

func TestReplayLeavesOutAShadowThatTheTraceCannotKnow(t *testing.T) {
	t.Parallel()
	trace := written(t, "a.trace", oneRequest)
	config := written(t, "own.yaml", `models: {chat: {targets: [
  {name: old, api: openai, url: "https://models.example.com/v1"},
  {name: twin, api: openai, url: "https://twin.example.com/v1", shadow: 100%}]}}`)
	const note = "Target twin takes copies of requests"
	status, out, err := baton(t, "replay", trace, "--config", config)
	if status != 0 || !strings.Contains(out, "Note: "+note) {
		t.Errorf("exit %d: %s%s", status, out, err)
	}
	status, out, err = baton(t, "replay", trace, "--config", config, "--json")
	if status != 0 || !strings.Contains(out, note) {
		t.Errorf("as JSON: exit %d: %s%s", status, out, err)
	}
	status, out, err = baton(t, "replay", trace, "--config", config, "--assume", "twin=1s,1s,10%")
	if status != 0 || strings.Contains(out, note) || !strings.Contains(out, "fail 10 % of its calls") {
		t.Errorf("assumed: exit %d: %s%s", status, out, err)
	}
}

func TestReplaySaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	trace := written(t, "a.trace", oneRequest)
	good := written(t, "good.yaml", "models: {chat: {targets: [{name: old, api: simulated}]}}")
	bad := written(t, "bad.yaml", "modells: 1\n")
	future := written(t, "b.trace", strings.ReplaceAll(oneRequest, `"v":1`, `"v":9`))
	for name, tc := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"no configuration":                     {[]string{trace}, 2, "--config"},
		"a configuration that is not valid":    {[]string{trace, "--config", bad}, 1, "bad.yaml:1:1"},
		"a baseline that is not valid":         {[]string{trace, "--config", good, "--baseline", bad}, 1, "bad.yaml:1:1"},
		"a trace that is not there":            {[]string{filepath.Join(t.TempDir(), "none"), "--config", good}, 1, "trace"},
		"a trace of another version":           {[]string{future, "--config", good}, 1, "line 1: version 9 is unknown"},
		"an assumption that is none":           {[]string{trace, "--config", good, "--assume", "old"}, 1, "want NAME=P50,P99"},
		"an assumption of what is not there":   {[]string{trace, "--config", good, "--assume", "odl=1s,2s"}, 1, "odl"},
		"a configuration instead of the trace": {[]string{good, "--config", good}, 1, "line 1: is not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if status, _, err := baton(t, append([]string{"replay"}, tc.args...)...); status != tc.status || !strings.Contains(err, tc.want) {
				t.Errorf("exit %d, want %d with %q: %s", status, tc.status, tc.want, err)
			}
		})
	}
}
