package openaitest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"
	"time"

	"baton.dev/baton/internal/npmtest"
)

// callsWait bounds all calls together.
const callsWait = 3 * time.Minute

// JavaScript makes the calls with the official client for JavaScript, as [Go] does with that for Go. Where Node or the client
// cannot be had, the test is skipped by name; BATON_REQUIRE_NODE=1, which getenv (os.Getenv) is asked for, makes that a failure.
func JavaScript(t testing.TB, baseURL, key string, getenv func(string) string) []Transcript {
	t.Helper()
	dir, err := npmtest.Install(t.Context(), files, "calls", "openaitest")
	switch {
	case err == nil:
	case getenv("BATON_REQUIRE_NODE") == "1":
		t.Fatalf("no OpenAI client for JavaScript, and BATON_REQUIRE_NODE=1: %v", err)
	default:
		t.Skipf("no OpenAI client for JavaScript: %v (BATON_REQUIRE_NODE=1 makes this a failure)", err)
	}
	node := exec.CommandContext(t.Context(), "node", "run.mjs", baseURL, key)
	var stderr bytes.Buffer
	node.Dir, node.Stderr, node.WaitDelay = dir, &stderr, time.Second
	late := time.AfterFunc(callsWait, func() { _ = node.Cancel() })
	defer late.Stop()
	stdout, err := node.Output()
	if err != nil {
		t.Fatalf("the calls in JavaScript: %v\n%s", err, stderr.String())
	}
	var all []Transcript
	lines := bufio.NewScanner(bytes.NewReader(stdout))
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var called struct {
			Name string `json:"name"`
			outcome
		}
		if err := json.Unmarshal(lines.Bytes(), &called); err != nil {
			t.Fatal(err)
		}
		all = append(all, Transcript{called.Name, canonical(t, marshal(t, called.outcome))})
	}
	return all
}
