package process

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/natstest"
)

// environ returns a lookup in pairs of names and values.
func environ(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return m[name] }
}

func TestEveryFaultOfTheEnvironmentIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := readEnvironment(environ("BATON_NATS_REPLICAS", "six", "BATON_NATS_SYNC", "sometimes", "BATON_LOG", "loud"), events.Infer)
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"BATON_CONFIG", "BATON_NATS_URL", "BATON_NATS_REPLICAS", "BATON_NATS_SYNC", "BATON_LOG"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not in: %v", name, err)
		}
	}
}

func TestOnlyIngestListensUnlessItIsTold(t *testing.T) {
	t.Parallel()
	for h, want := range map[events.Hop]string{events.Ingest: DefaultListen, events.Infer: ""} {
		env, err := readEnvironment(environ("BATON_CONFIG", "c", "BATON_NATS_URL", "nats://h"), h)
		if err != nil || env.listen != want {
			t.Errorf("%s listens on %q, %v, want %q", h, env.listen, err, want)
		}
	}
}

const config = `
models:
  m: {targets: [{name: a, api: openai, url: "http://127.0.0.1:1/v1", key: env:MODEL_KEY}]}
tenants:
  t: {keys: ["sha256:0000000000000000000000000000000000000000000000000000000000000000"], secrets: [env:WEBHOOK_SECRET]}
`

func writeConfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "baton.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFunctionRefusesToStartWithoutTheSecretsThatItNeeds(t *testing.T) {
	t.Parallel()
	for h, want := range map[events.Hop]string{events.Infer: "MODEL_KEY", events.Callback: "WEBHOOK_SECRET"} {
		err := Run(t.Context(), h, environ("BATON_CONFIG", writeConfig(t), "BATON_NATS_URL", "nats://127.0.0.1:1"), io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "baton.yaml:") {
			t.Errorf("%s: %v, want %s and where it stands", h, err, want)
		}
	}
}

func TestABudgetNeedsARedis(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "baton.yaml")
	text := strings.Replace(config, "t: {keys", "t: {budget: 5.00/day, keys", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Run(t.Context(), events.Schedule, environ("BATON_CONFIG", path, "BATON_NATS_URL", "nats://127.0.0.1:1"), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "tenant t has a budget") || !strings.Contains(err.Error(), "BATON_REDIS_URL") {
		t.Errorf("%v, want what is missing for which tenant", err)
	}
}

func TestARedisURLThatIsNoneIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	const url = "http://user:hunter2@127.0.0.1"
	err := Run(t.Context(), events.Schedule, environ("BATON_CONFIG", writeConfig(t), "BATON_NATS_URL", "nats://127.0.0.1:1", "BATON_REDIS_URL", url), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "BATON_REDIS_URL") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v, want the variable, and not its secret", err)
	}
}

func TestAServerThatIsNoneIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	err := Run(t.Context(), events.Schedule, environ("BATON_CONFIG", writeConfig(t), "BATON_NATS_URL", "http://user:secret@h"), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "nats://") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestAFunctionAnswersItsOperatorAndDrains(t *testing.T) {
	t.Parallel()
	nats := natstest.StartOptions(t, &server.Options{
		JetStream: true, StoreDir: t.TempDir(), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
	})
	ctx, cancel := context.WithCancel(t.Context())
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	var log bytes.Buffer
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, events.Schedule, environ("BATON_CONFIG", writeConfig(t), "BATON_NATS_URL", nats.ClientURL(), "BATON_LISTEN", address), &log)
	}()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		for {
			resp, err := http.Get("http://" + address + path)
			if err != nil { // it is not up yet
				select {
				case err := <-done:
					t.Fatal(err)
				case <-time.After(10 * time.Millisecond):
				}
				continue
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK || path != "/metrics" && !json.Valid(body) {
				t.Errorf("%s: %d %s, %v", path, resp.StatusCode, body, err)
			}
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("drained with %v", err)
	}
	if !strings.Contains(log.String(), `"draining"`) || !strings.Contains(log.String(), `"stopped"`) {
		t.Errorf("the log says\n%s", &log)
	}
}

func TestAModelServerLeavesItToItsCallersHowLongTheyWait(t *testing.T) {
	t.Parallel()
	s := NewModelServer(http.NotFoundHandler())
	if s.WriteTimeout != 0 || s.ReadTimeout == 0 || s.IdleTimeout == 0 {
		t.Errorf("timeouts: write %v, read %v, idle %v", s.WriteTimeout, s.ReadTimeout, s.IdleTimeout)
	}
}
