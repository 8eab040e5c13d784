package local_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
)

var (
	chaosTime  = flag.Duration("chaos", 10*time.Second, "how long the chaos lasts")
	chaosRedis = flag.String("chaos-redis", "", "the redis-server to run; default the one in PATH, or one within the test's own program")
)

// TestChaosLosesNothing runs the four functions, three infer and two of each other, on a cluster of three JetStream servers
// with three copies of everything, each write synced, and on a Redis, all processes of their own, and kills and restarts any
// of them at random under load: one at a time of the servers, so that two have a majority.
func TestChaosLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	random := mathrand.New(mathrand.NewPCG(seed, 0))
	t.Logf("chaos for %s by seed %d", *chaosTime, seed)

	models := httptest.NewServer(simulated.New(catalog.Simulate{P50: 10 * time.Millisecond, P99: 60 * time.Millisecond, ErrorRate: 0.05, Seed: 7}))
	t.Cleanup(models.Close)
	config, key, secret := writeConfig(t, dir, fmt.Sprintf("{name: sim, api: openai, url: %s/v1}", models.URL))
	l := newLedger(t, key, secret)
	address := freeAddress(t)
	l.url = "http://" + address

	nodes := newNodes(t, dir)
	redis := newRedis(t, dir)
	world := append(nodes.parts(), redis)
	for _, p := range world {
		p.start(t)
	}
	nodes.await(t)

	env := append(os.Environ(), "BATON_CONFIG="+config, "BATON_NATS_URL="+nodes.urls(), "BATON_REDIS_URL="+redis.url,
		"BATON_NATS_REPLICAS=3", "BATON_NATS_SYNC=always", "BATON_LOG=info", "BATON_LISTEN=")
	for function, copies := range map[string]int{"ingest": 1, "schedule": 2, "infer": 3, "callback": 2} {
		for n := range copies {
			p := &part{name: fmt.Sprintf("%s %d", function, n), path: build(t, function), env: slices.Clone(env), ready: `"msg":"started"`}
			if function == "ingest" {
				p.env = append(p.env, "BATON_LISTEN="+address)
			}
			p.start(t)
			world = append(world, p)
		}
	}

	ctx, cancel := context.WithTimeout(t.Context(), *chaosTime+crashPatience)
	defer cancel()
	loading, stop := context.WithTimeout(ctx, *chaosTime)
	defer stop()
	var load sync.WaitGroup
	load.Go(func() { l.loadUntil(loading, ctx, 8) })
	kills := map[string]int{}
	for loading.Err() == nil {
		p := world[random.IntN(len(world))]
		p.kill()
		kills[strings.Fields(p.name)[0]]++
		pause(loading, time.Duration(random.IntN(1500))*time.Millisecond)
		p.start(t)
		if p.node {
			nodes.await(t) // until it has caught up, another must not go
		}
		pause(loading, time.Duration(random.IntN(1000))*time.Millisecond)
	}
	load.Wait()
	t.Logf("killed: %v", kills)
	l.settle(ctx, t)
}

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// part is a process that is killed and started again.
type part struct {
	name  string
	path  string
	args  []string
	env   []string
	ready string
	url   string
	node  bool // a JetStream server
	*processUnderTest
}

// start starts the process, as a supervisor would: again if it ends because what it needs is away.
func (p *part) start(t *testing.T) {
	t.Helper()
	for try := 0; ; try++ {
		var err error
		if p.processUnderTest, err = launch(t, p.path, p.env, p.ready, p.args...); err == nil {
			return
		}
		if try == 20 {
			t.Fatalf("%s: %v", p.name, err)
		}
	}
}

// nodes are the servers of a cluster.
type nodes []node

// node is what a server of the cluster is started with.
type node struct {
	Name, Dir     string
	Client, Route int // ports
	Routes        []string
}

// nodeVariable, if it is set, makes the test's own program a server of a cluster, so that one can be killed.
const (
	nodeVariable  = "BATON_TEST_NATS_NODE"
	redisVariable = "BATON_TEST_REDIS"
)

func newNodes(t *testing.T, dir string) nodes {
	all := make(nodes, 3)
	var routes []string
	for i := range all {
		all[i] = node{Name: fmt.Sprintf("n%d", i), Dir: filepath.Join(dir, fmt.Sprintf("n%d", i)), Client: freePort(t), Route: freePort(t)}
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", all[i].Route))
	}
	for i := range all {
		all[i].Routes = routes
	}
	return all
}

func (ns nodes) parts() []*part {
	var parts []*part
	for _, n := range ns {
		b, err := json.Marshal(n)
		if err != nil {
			panic(err) // strings and numbers
		}
		parts = append(parts, &part{
			name: "node " + n.Name, path: os.Args[0], args: []string{"-test.run=^$"}, node: true,
			env: append(os.Environ(), nodeVariable+"="+string(b)), ready: "the node is ready",
		})
	}
	return parts
}

func (ns nodes) urls() string {
	var urls []string
	for _, n := range ns {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", n.Client))
	}
	return strings.Join(urls, ",")
}

// await waits until all servers are there and every stream has all its copies up to date.
func (ns nodes) await(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	nc, err := nats.Connect(ns.urls(), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for !ns.settled(ctx, js) {
		pause(ctx, 100*time.Millisecond)
		if ctx.Err() != nil {
			t.Fatal("the cluster does not settle")
		}
	}
}

func (ns nodes) settled(ctx context.Context, js jetstream.JetStream) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if _, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "PROBE", Subjects: []string{"probe"}, Replicas: len(ns)}); err != nil {
		return false
	}
	streams := js.ListStreams(ctx)
	for info := range streams.Info() {
		if info.Config.Storage == jetstream.MemoryStorage {
			continue // of one copy, which nothing waits for
		}
		if info.Cluster == nil || info.Cluster.Leader == "" || len(info.Cluster.Replicas) != len(ns)-1 {
			return false
		}
		for _, r := range info.Cluster.Replicas {
			if !r.Current || r.Offline {
				return false
			}
		}
	}
	return streams.Err() == nil
}

// runNode runs a server of a cluster until it is killed.
func runNode(config string) error {
	var n node
	if err := json.Unmarshal([]byte(config), &n); err != nil {
		return err
	}
	s, err := server.NewServer(&server.Options{
		ServerName: n.Name, Host: "127.0.0.1", Port: n.Client, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: n.Dir, SyncAlways: true,
		Cluster: server.ClusterOpts{Name: "chaos", Host: "127.0.0.1", Port: n.Route},
		Routes:  server.RoutesFromStr(strings.Join(n.Routes, ",")),
	})
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		return fmt.Errorf("node %s is not ready", n.Name)
	}
	fmt.Fprintln(os.Stdout, "the node is ready")
	select {}
}

// newRedis returns a real redis-server where there is one, and otherwise the test's own program as one.
func newRedis(t *testing.T, dir string) *part {
	port := strconv.Itoa(freePort(t))
	p := &part{name: "redis", url: "redis://127.0.0.1:" + port, ready: "Ready to accept connections"}
	p.path = *chaosRedis
	if p.path == "" {
		p.path, _ = exec.LookPath("redis-server")
	}
	if p.path == "" {
		t.Log("there is no redis-server: Redis is one that forgets everything when it is killed")
		p.path, p.args, p.ready = os.Args[0], []string{"-test.run=^$"}, "redis is ready"
		p.env = append(os.Environ(), redisVariable+"=127.0.0.1:"+port)
		return p
	}
	p.args = []string{"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""}
	return p
}

// runRedis runs a Redis in memory until it is killed.
func runRedis(address string) error {
	if err := miniredis.NewMiniRedis().StartAddr(address); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "redis is ready")
	select {}
}

// freePort returns a port of this machine that nothing listens on.
func freePort(t *testing.T) int {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
