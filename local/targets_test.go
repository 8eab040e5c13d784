package local_test

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/nats-io/nats-server/v2/server"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
	"baton.dev/baton/internal/natstest"
)

// TestATargetThatDiesOrHangsCostsNoResult runs a chain and three model servers, processes of their own, under an open load:
// first calm, then with one of the three killed at random again and again, then with one that hangs. How long the requests
// took is printed; what is checked is that none failed, and that a target that hangs holds up nobody else's.
func TestATargetThatDiesOrHangsCostsNoResult(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := t.TempDir()
	addresses := make([]string, 3)
	servers := make([]*processUnderTest, 3)
	serve := func(i int) {
		servers[i] = start(t, build(t, "baton"), nil, "model server at", "model", "--listen", addresses[i], "--simulate", "{p50: 20ms, p99: 60ms, tokens: 8}")
	}
	var targets []string
	for i := range servers {
		addresses[i] = freeAddress(t)
		serve(i)
		targets = append(targets, fmt.Sprintf("{name: t%d, api: openai, url: http://%s/v1, timeout: %s}", i, addresses[i], timeout))
	}
	config, key, _ := writeModels(t, dir,
		"m: {attempts: 6, targets: ["+strings.Join(targets, ", ")+"]}",
		fmt.Sprintf("other: {targets: [{name: other, api: openai, url: http://%s/v1}]}", addresses[2]))
	c := newCaller(t, key)
	address := freeAddress(t)
	url := "http://" + address
	start(t, build(t, "baton"), nil, "baton is up",
		"up", "--listen", address, "--nats-listen", "127.0.0.1:0", "--config", config, "--data", filepath.Join(dir, "data"))

	const requests, interval = 300, 15 * time.Millisecond
	check := func(what string, all []*answered) {
		t.Logf("%s: %d requests, failed %v, P50 %s, P90 %s, P99 %s, most %s", what, len(all), failed(all),
			percentile(all, 0.5), percentile(all, 0.9), percentile(all, 0.99), percentile(all, 1))
		if f := failed(all); len(f) > 0 {
			t.Errorf("%s: failed: %v", what, f)
		}
	}
	check("all well", c.open(ctx, requests, interval, url, "m"))

	seed := uint64(time.Now().UnixNano())
	random := mathrand.New(mathrand.NewPCG(seed, 0))
	killing, stop := context.WithCancel(ctx)
	var killer sync.WaitGroup
	kills := 0
	killer.Go(func() {
		for killing.Err() == nil {
			i := random.IntN(2) // the third also serves the other model
			servers[i].kill()
			kills++
			pause(killing, time.Duration(200+random.IntN(800))*time.Millisecond)
			serve(i)
			pause(killing, time.Duration(200+random.IntN(500))*time.Millisecond)
		}
	})
	all := c.open(ctx, requests, interval, url, "m")
	stop()
	killer.Wait()
	check(fmt.Sprintf("one of three killed, %d times, by seed %d", kills, seed), all)

	// Of two that run, one is stopped: it accepts connections and answers nothing.
	hung := servers[0].cmd.Process
	if err := hung.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var others []*answered
	var sending sync.WaitGroup
	sending.Go(func() { others = c.open(ctx, requests, interval, url, "other") })
	all = c.open(ctx, requests, interval, url, "m")
	sending.Wait()
	if err := hung.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	check(fmt.Sprintf("one of three hangs, time-out %s", timeout), all)
	check("another model meanwhile", others)
}

// TestATargetThatHangsFillsItsOwnLaneOnly floods a target that does not answer before the test says so, and sees the requests
// of another target answered meanwhile.
func TestATargetThatHangsFillsItsOwnLaneOnly(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	release := make(chan struct{})
	well := simulated.New(catalog.Simulate{Tokens: 8})
	hangs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		well.ServeHTTP(w, r)
	}))
	t.Cleanup(hangs.Close)
	answers := httptest.NewServer(well)
	t.Cleanup(answers.Close)
	config, key, _ := writeModels(t, t.TempDir(),
		fmt.Sprintf("slow: {targets: [{name: slow, api: openai, url: %s/v1, concurrency: 4}]}", hangs.URL),
		fmt.Sprintf("quick: {targets: [{name: quick, api: openai, url: %s/v1}]}", answers.URL))
	l := startedWith(t, config)
	c := newCaller(t, key)
	var stuck []*answered
	for range 100 {
		a, err := c.send(ctx, l.URL, "slow", "wait")
		if err != nil {
			t.Fatal(err)
		}
		stuck = append(stuck, a)
	}
	if f := failed(c.open(ctx, 100, time.Millisecond, l.URL, "quick")); len(f) > 0 {
		t.Errorf("requests of the other target failed: %v", f)
	}
	for _, a := range stuck {
		select {
		case <-a.done:
			t.Fatal("a request of the target that hangs was answered")
		default:
		}
	}
	close(release)
	if f := failed(c.await(ctx, stuck)); len(f) > 0 {
		t.Errorf("requests of the target that hung failed: %v", f)
	}
}

// patientRedis returns the URL of a Redis that is not taken to be away because this machine is busy.
func patientRedis(address string) string {
	return "redis://" + address + "?dial_timeout=30s&read_timeout=30s&write_timeout=30s&pool_timeout=30s"
}

// TestEqualRequestsMakeOneCall sends a thousand equal requests at once to four chains, processes of their own on one NATS and
// one Redis.
func TestEqualRequestsMakeOneCall(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := t.TempDir()
	nats := natstest.StartOptions(t, &server.Options{
		JetStream: true, StoreDir: filepath.Join(dir, "nats"), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
	})
	redis := miniredis.RunT(t)
	var calls atomic.Int32
	model := simulated.New(catalog.Simulate{P50: 300 * time.Millisecond, P99: 300 * time.Millisecond, Tokens: 8})
	models := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		model.ServeHTTP(w, r)
	}))
	t.Cleanup(models.Close)
	config, key, _ := writeModels(t, dir, fmt.Sprintf("m: {cache: 10m, targets: [{name: sim, api: openai, url: %s/v1}]}", models.URL))
	c := newCaller(t, key)
	var urls []string
	for i := range 4 {
		address := freeAddress(t)
		urls = append(urls, "http://"+address)
		start(t, build(t, "baton"), nil, "baton is up", "up", "--listen", address, "--config", config,
			"--data", filepath.Join(dir, strconv.Itoa(i)), "--nats", nats.ClientURL(), "--redis", patientRedis(redis.Addr()))
	}
	all := make([]*answered, 1000)
	var sending sync.WaitGroup
	for i := range all {
		sending.Go(func() {
			var err error
			if all[i], err = c.send(ctx, urls[i%len(urls)], "m", "the same for all"); err != nil {
				t.Errorf("request %d: %v", i, err)
			}
		})
	}
	sending.Wait()
	c.await(ctx, all)
	cached := 0
	for _, a := range all {
		if a.body.Output != all[0].body.Output {
			t.Fatalf("two answers: %q and %q", a.body.Output, all[0].body.Output)
		}
		if a.body.Cached {
			cached++
		}
	}
	t.Logf("1000 equal requests over 4 processes: %d calls, %d answers from the cache, failed %v", calls.Load(), cached, failed(all))
	if calls.Load() != 1 || cached != 999 || len(failed(all)) > 0 {
		t.Errorf("%d calls, %d answers from the cache, failed %v", calls.Load(), cached, failed(all))
	}
}
