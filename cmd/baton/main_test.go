package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// output is what a command writes, read while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// find waits until the output matches, and returns the match's first group.
func (o *output) find(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if m := re.FindStringSubmatch(o.String()); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("no %s in the output:\n%s", pattern, o)
		}
	}
}

// baton runs a command to its end.
func baton(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err output
	status = run(t.Context(), args, strings.NewReader(""), &out, &err, func(string) string { return "" })
	return status, out.String(), err.String()
}

func TestDemo(t *testing.T) {
	t.Parallel()
	status, out, err := baton(t, "demo", "--log", "error")
	if status != 0 || !strings.Contains(out, "3 of 3 callbacks arrived and their signatures verified.") {
		t.Fatalf("exit %d:\n%s%s", status, out, err)
	}
	for _, hop := range []string{"ingest", "schedule", "infer", "callback", "receiver"} {
		if n := strings.Count(out, " "+hop+" "); n < 3 {
			t.Errorf("%s is shown %d times, want it for each request:\n%s", hop, n, out)
		}
	}
}

// upAndRunning starts a chain by command, and returns its address, key, NATS address and data directory.
func upAndRunning(t *testing.T) (url, key, nats, data string) {
	t.Helper()
	data = t.TempDir()
	var out, stderr output
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"up", "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--data", data}, strings.NewReader(""), &out, &stderr, func(string) string { return "" })
	}()
	t.Cleanup(func() {
		cancel()
		if status := <-done; status != 0 || !strings.Contains(out.String(), "stopped") {
			t.Errorf("up ended with %d:\n%s%s", status, &out, &stderr)
		}
	})
	return out.find(t, `address +(\S+)`), out.find(t, `key +(\S+)`), out.find(t, `nats +(\S+)`), data
}

func TestUpSaysWhereEdgesConnectTo(t *testing.T) {
	t.Parallel()
	var out, stderr output
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan int, 1)
	args := []string{"up", "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--leaf-listen", "127.0.0.1:0", "--data", t.TempDir()}
	go func() {
		done <- run(ctx, args, strings.NewReader(""), &out, &stderr, func(string) string { return "" })
	}()
	out.find(t, `leaf +(nats-leaf://127\.0\.0\.1:\d+)`)
	cancel()
	if status := <-done; status != 0 || strings.Contains(stderr.String(), "default_js_domain") {
		t.Errorf("up ended with %d:\n%s", status, &stderr)
	}
}

func TestSendWaitsForTheResult(t *testing.T) {
	t.Parallel()
	url, key, _, data := upAndRunning(t)
	for name, args := range map[string][]string{"with a key": {"--key", key}, "with a data directory": {"--data", data}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, out, err := baton(t, append([]string{"send", "--url", url, "--model", "llama-3-70b", "--wait", "hello"}, args...)...)
			var r struct{ Status, Output string }
			if json.Unmarshal([]byte(out), &r) != nil || status != 0 || r.Status != "completed" || r.Output == "" {
				t.Errorf("exit %d: %s%s", status, out, err)
			}
		})
	}
	t.Run("and says what the chain finds wrong", func(t *testing.T) {
		t.Parallel()
		status, _, err := baton(t, "send", "--url", url, "--key", key, "--model", "no-such-model", "hello")
		if status != 1 || !strings.Contains(err, "422") || !strings.Contains(err, "/model_id") {
			t.Errorf("exit %d: %s", status, err)
		}
		if status, _, err := baton(t, "send", "--url", url, "--key", "wrong", "hello"); status != 1 || !strings.Contains(err, "401") || strings.Contains(err, "wrong") {
			t.Errorf("exit %d: %s", status, err)
		}
	})
}

func TestDeadLettersAreListedShownAndRedriven(t *testing.T) {
	t.Parallel()
	url, key, nats, _ := upAndRunning(t)
	if status, out, _ := baton(t, "dead", "list", "--nats", nats); status != 0 || !strings.Contains(out, "No dead letters.") {
		t.Fatalf("exit %d: %s", status, out)
	}
	// A receiver that says it is gone makes one.
	status, out, stderr := baton(t, "send", "--url", url, "--key", key, "--model", "llama-3-70b", "--callback", url+"/_sink?status=410", "hello")
	var sent struct {
		MessageID string `json:"message_id"`
	}
	if err := json.Unmarshal([]byte(out), &sent); err != nil || status != 0 {
		t.Fatalf("exit %d: %s%s", status, out, stderr)
	}
	id := sent.MessageID + "-completed-1"
	list := func() string {
		_, out, _ := baton(t, "dead", "list", "--nats", nats)
		return out
	}
	for !strings.Contains(list(), id) {
		if t.Context().Err() != nil {
			t.Fatal("there is no dead letter")
		}
	}
	if out := list(); !strings.Contains(out, "gone") || !strings.Contains(out, "callback") {
		t.Errorf("list:\n%s", out)
	}
	status, out, _ = baton(t, "dead", "show", "--json", "--nats", nats, id)
	var shown struct {
		ID, Hop, Reason, Remedy, DiedAt string
		Event                           map[string]any
	}
	if err := json.Unmarshal([]byte(strings.ReplaceAll(out, "died_at", "diedat")), &shown); err != nil || status != 0 ||
		shown.ID != id || shown.Reason != "gone" || shown.Hop != "callback" || shown.Remedy == "" || shown.Event["data"] != nil {
		t.Errorf("exit %d, %v:\n%s", status, err, out)
	}
	if status, out, _ := baton(t, "dead", "redrive", "--nats", nats, id); status != 0 || out != "redriven "+id+"\n1 dead letter redriven.\n" {
		t.Errorf("exit %d: %s", status, out)
	}
	// It is tried anew, under the same id, and its receiver is gone still.
	for {
		if _, out, _ := baton(t, "dead", "show", "--json", "--nats", nats, id); strings.Contains(out, "died_at") && !strings.Contains(out, shown.DiedAt) {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the redriven event did not die again")
		}
	}
	for _, args := range [][]string{{"dead", "show", "--nats", nats, "nobody"}, {"dead", "redrive", "--nats", nats, "nobody"}, {"dead", "redrive", "--nats", nats}} {
		if status, _, err := baton(t, args...); status != 1 || err == "" {
			t.Errorf("%v: exit %d: %s", args, status, err)
		}
	}
}

func TestWatchFollowsTheEvents(t *testing.T) {
	t.Parallel()
	url, key, nats, _ := upAndRunning(t)
	for _, asJSON := range []bool{false, true} {
		var out, stderr output
		ctx, cancel := context.WithCancel(t.Context())
		args := []string{"watch", "--nats", nats}
		if asJSON {
			args = append(args, "--json")
		}
		done := make(chan int, 1)
		go func() {
			done <- run(ctx, args, strings.NewReader(""), &out, &stderr, func(string) string { return "" })
		}()
		stderr.find(t, "watching")
		baton(t, "send", "--url", url, "--key", key, "--model", "llama-3-70b", "--wait", "a secret prompt")
		for _, step := range []string{"requested", "scheduled", "completed"} {
			out.find(t, step)
		}
		cancel()
		if status := <-done; status != 0 {
			t.Errorf("exit %d: %s", status, &stderr)
		}
		if !asJSON && strings.Contains(out.String(), "secret prompt") {
			t.Errorf("the prompt is shown:\n%s", &out)
		}
		if asJSON && !json.Valid([]byte(strings.SplitN(out.String(), "\n", 2)[0])) {
			t.Errorf("the first line is no JSON:\n%s", &out)
		}
	}
}

func TestModelServes(t *testing.T) {
	t.Parallel()
	var out, stderr output
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"model", "--listen", "127.0.0.1:0", "--simulate", "{p50: 1ms, p99: 2ms}"}, strings.NewReader(""), &out, &stderr, func(string) string { return "" })
	}()
	url := out.find(t, `at (\S+)`)
	resp, err := http.Post(url+"/chat/completions", "application/json", strings.NewReader(`{"model":"any","messages":[{"role":"user","content":"hello"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("answered %d", resp.StatusCode)
	}
	cancel()
	if status := <-done; status != 0 {
		t.Errorf("exit %d: %s", status, &stderr)
	}
}

func TestKeygenMakesWhatTheConfigurationTakes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bad name!", ""} {
		if status, out, err := baton(t, "keygen", name); status != 1 || out != "" || err == "" {
			t.Errorf("keygen %q: exit %d: %s", name, status, out)
		}
	}
	status, out, _ := baton(t, "keygen", "search")
	i := strings.Index(out, "  search:")
	if status != 0 || i < 0 || !strings.Contains(out, "whsec_") {
		t.Fatalf("exit %d: %s", status, out)
	}
	path := filepath.Join(t.TempDir(), "baton.yaml")
	config := "models:\n  m: {targets: [{name: a, api: simulated, simulate: {p50: 1ms, p99: 2ms}}]}\ntenants:\n" + out[i:] + "    models: [\"*\"]\n"
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := baton(t, "check", path); status != 0 {
		t.Errorf("check: exit %d: %s\n%s", status, out, config)
	}
}

func TestACommandThatIsNotUnderstoodIsSaidSo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"nonsense"}, {"up", "--sync"}, {"send"}, {"up", "--log", "loud"}} {
		if status, _, err := baton(t, args...); status != 2 || err == "" {
			t.Errorf("%v: exit %d: %s", args, status, err)
		}
	}
	if status, _, err := baton(t, "up", "--sync", "sometimes"); status != 1 || !strings.Contains(err, "always") {
		t.Errorf("up --sync sometimes: exit %d: %s", status, err)
	}
	for _, args := range [][]string{nil, {"--help"}, {"version"}} {
		if status, out, _ := baton(t, args...); status != 0 || out == "" {
			t.Errorf("%v: exit %d", args, status)
		}
	}
}
