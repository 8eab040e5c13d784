package local_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/redis/go-redis/v9/logging"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
	"baton.dev/baton/internal/natstest"
)

const (
	crashRequests = 1000
	crashClients  = 16
	crashPatience = 4 * time.Minute
)

// TestKilledChainLosesNothing kills the whole chain, a real process, at random moments under load.
func TestKilledChainLosesNothing(t *testing.T) {
	t.Parallel()
	for _, sync := range []string{"1s", "always"} {
		t.Run("sync "+sync, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			config, key, secret := writeConfig(t, dir, "{name: sim, api: simulated, simulate: {p50: 10ms, p99: 60ms, error_rate: 0.05, seed: 7}}")
			l := newLedger(t, key, secret)
			address := freeAddress(t)
			l.url = "http://" + address
			up := func() *processUnderTest {
				return start(t, build(t, "baton"), nil, "baton is up",
					"up", "--listen", address, "--nats-listen", "127.0.0.1:0", "--config", config, "--data", filepath.Join(dir, "data"), "--sync", sync)
			}
			p := up()
			killDuring(t, l, 3, func(int) {
				p.kill()
				p = up()
			})
		})
	}
}

// TestKilledFunctionsLoseNothing kills each function, a process of its own on one NATS server, in turn under load.
func TestKilledFunctionsLoseNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	nats := natstest.StartOptions(t, &server.Options{
		JetStream: true, StoreDir: filepath.Join(dir, "nats"), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
	})
	models := httptest.NewServer(simulated.New(catalog.Simulate{P50: 10 * time.Millisecond, P99: 60 * time.Millisecond, ErrorRate: 0.05, Seed: 7}))
	t.Cleanup(models.Close)
	config, key, secret := writeConfig(t, dir, fmt.Sprintf("{name: sim, api: openai, url: %s/v1}", models.URL))
	l := newLedger(t, key, secret)
	address := freeAddress(t)
	l.url = "http://" + address

	env := append(os.Environ(), "BATON_CONFIG="+config, "BATON_NATS_URL="+nats.ClientURL(), "BATON_LISTEN=")
	functions := []string{"ingest", "schedule", "infer", "callback"}
	running := map[string]*processUnderTest{}
	up := func(f string) {
		env := env
		if f == "ingest" {
			env = append(env, "BATON_LISTEN="+address)
		}
		running[f] = start(t, build(t, f), env, `"msg":"started"`)
	}
	for _, f := range functions {
		up(f)
	}
	killDuring(t, l, len(functions), func(n int) {
		running[functions[n]].kill()
		up(functions[n])
	})
}

// killDuring sends the load and calls kill at random moments of it, and then checks that nothing was lost.
func killDuring(t *testing.T, l *ledger, times int, kill func(n int)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
	defer cancel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("random moments by seed %d", seed)
	random := mathrand.New(mathrand.NewPCG(seed, 0))
	var load sync.WaitGroup
	load.Go(func() { l.load(ctx, crashRequests, crashClients) })
	for n := range times {
		// A moment within the n-th part of the load, but for its end.
		part := crashRequests / times
		moment := int64(n*part + random.IntN(part*9/10))
		for l.accepted.Load() < moment && ctx.Err() == nil {
			select {
			case <-l.wake:
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		kill(n)
	}
	load.Wait()
	if n := l.accepted.Load(); n != crashRequests {
		t.Fatalf("%d of %d requests were accepted in time", n, crashRequests)
	}
	l.settle(ctx, t)
}

// writeConfig writes a configuration with one model m and one tenant, and returns its file, and the tenant's key and secret.
func writeConfig(t testing.TB, dir, target string) (path, key, secret string) {
	t.Helper()
	return writeModels(t, dir, fmt.Sprintf("m: {attempts: 20, targets: [%s]}", target))
}

// writeModels is writeConfig with the models given.
func writeModels(t testing.TB, dir string, models ...string) (path, key, secret string) {
	t.Helper()
	key, hash, err := catalog.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if secret, err = catalog.NewWebhookSecret(rand.Reader); err != nil {
		t.Fatal(err)
	}
	secretFile := filepath.Join(dir, "secret")
	path = filepath.Join(dir, "config.yaml")
	config := fmt.Sprintf(`
models:
  %s
callbacks: {allow_networks: [127.0.0.0/8], allow_http: true, retries: [0s, 1s, 1s, 5s, 5s, 10s, 10s, 30s]}
tenants:
  t: {keys: [%q], models: ["*"], secrets: [%q]}
`, strings.Join(models, "\n  "), hash, "file:"+secretFile)
	for file, content := range map[string]string{secretFile: secret, path: config} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path, key, secret
}

// binaries are built once for all tests of the package.
var binaries struct {
	sync.Mutex
	dir   string
	built map[string]string
}

// build returns the path of a command of this module, built for these tests.
func build(t *testing.T, command string) string {
	t.Helper()
	binaries.Lock()
	defer binaries.Unlock()
	if path, ok := binaries.built[command]; ok {
		return path
	}
	path := filepath.Join(binaries.dir, command)
	if out, err := exec.Command("go", "build", "-o", path, "../cmd/"+command).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", command, err, out)
	}
	binaries.built[command] = path
	return path
}

func TestMain(m *testing.M) {
	// The program of the tests is also what some of them run as a process of its own.
	for variable, run := range map[string]func(string) error{nodeVariable: runNode, redisVariable: runRedis} {
		if s := os.Getenv(variable); s != "" {
			fmt.Fprintln(os.Stderr, run(s))
			os.Exit(1)
		}
	}
	logging.Disable() // go-redis's own log, of a server that is on its way
	dir, err := os.MkdirTemp("", "baton-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries.dir, binaries.built = dir, map[string]string{}
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// processUnderTest is a real process that the test started.
type processUnderTest struct {
	t      *testing.T
	cmd    *exec.Cmd
	output *syncBuffer
	done   chan struct{}
}

// start starts a process and waits until it says that it is ready.
func start(t *testing.T, path string, env []string, ready string, args ...string) *processUnderTest {
	t.Helper()
	p, err := launch(t, path, env, ready, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// launch is start for whoever can go on without the process.
func launch(t *testing.T, path string, env []string, ready string, args ...string) (*processUnderTest, error) {
	t.Helper()
	p := &processUnderTest{t: t, cmd: exec.Command(path, args...), output: &syncBuffer{}, done: make(chan struct{})}
	p.cmd.Env = env
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	_ = w.Close()
	isReady := make(chan struct{})
	go func() {
		defer close(p.done)
		defer r.Close()
		said := false
		for lines := bufio.NewScanner(r); lines.Scan(); {
			_, _ = p.output.Write(append(lines.Bytes(), '\n'))
			if !said && strings.Contains(lines.Text(), ready) {
				said = true
				close(isReady)
			}
		}
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(path), p.output.tail(4000))
		}
	})
	select {
	case <-isReady:
	case <-p.done:
		return nil, fmt.Errorf("%s ended before it was ready:\n%s", filepath.Base(path), p.output.tail(4000))
	case <-time.After(time.Minute):
		return nil, fmt.Errorf("%s is not ready after a minute:\n%s", filepath.Base(path), p.output.tail(4000))
	}
	return p, nil
}

// kill kills the process with SIGKILL and waits until it is gone.
func (p *processUnderTest) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	<-p.done
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) tail(n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.b.Bytes()
	return string(b[max(0, len(b)-n):])
}

// freeAddress returns an address of this machine that nothing listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
