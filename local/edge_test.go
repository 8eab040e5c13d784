package local_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
	"baton.dev/baton/local"
)

var edgeCut = flag.Duration("edge-cut", 0, "how long the edge's link is cut; default until requests have gone round it")

// TestACutLinkLosesNothing runs an edge, a process of its own at the end of one connection, cuts that under load, and connects
// it again: what is accepted goes round the edge meanwhile, what the edge had begun is handed in, and each request is answered
// once.
func TestACutLinkLosesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), *edgeCut+crashPatience)
	defer cancel()
	near, cloud := newCounted(t), newCounted(t)
	dir := t.TempDir()
	config, key, secret := writeModels(t, dir, fmt.Sprintf(
		"m: {attempts: 20, targets: [{name: near, api: openai, url: %s/v1, weight: 9, edge: true}, {name: cloud, api: openai, url: %s/v1, weight: 1}]}",
		near.URL, cloud.URL))
	l := newLedger(t, key, secret)
	hub, err := local.Start(ctx, local.Options{
		Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", LeafListen: "127.0.0.1:0", Config: config, Data: filepath.Join(dir, "data"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Stop)
	l.url = hub.URL
	wire := newWire(t, hub.LeafURL)
	edge := func() *processUnderTest {
		return start(t, build(t, "baton"), nil, "edge is up", "edge", "--hub", "nats-leaf://"+wire.address, "--config", config)
	}
	running := edge()

	loading, stop := context.WithCancel(ctx)
	defer stop()
	var load sync.WaitGroup
	load.Go(func() { l.loadUntil(loading, ctx, 8) })
	near.await(ctx, t, "requests go to the edge", 20)
	wire.cut()
	went := cloud.calls.Load()
	cloud.await(ctx, t, "they go round the edge", went+100)
	if *edgeCut > 0 {
		pause(ctx, *edgeCut)
	}
	away := cloud.calls.Load() - went
	wire.mend()
	back := near.calls.Load()
	near.await(ctx, t, "they go to the edge again", back+20)
	// The edge itself dies, too: what it held comes back when its leases are over, and goes round.
	running.kill()
	went = cloud.calls.Load()
	cloud.await(ctx, t, "they go round an edge that died", went+20)
	edge()
	stop()
	load.Wait()
	l.settle(ctx, t)
	t.Logf("calls at the edge %d, in the cloud %d, of these %d while the link was cut", near.calls.Load(), cloud.calls.Load(), away)
}

// counted is a model server that counts its calls.
type counted struct {
	*httptest.Server
	calls atomic.Int64
	more  chan struct{} // gets a value after a call
}

func newCounted(t *testing.T) *counted {
	t.Helper()
	c := &counted{more: make(chan struct{}, 1)}
	model := simulated.New(catalog.Simulate{P50: 10 * time.Millisecond, P99: 60 * time.Millisecond, Seed: 7})
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		model.ServeHTTP(w, r)
		c.calls.Add(1)
		select {
		case c.more <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// await waits for the nth call.
func (c *counted) await(ctx context.Context, t *testing.T, what string, n int64) {
	t.Helper()
	for c.calls.Load() < n {
		select {
		case <-c.more:
		case <-ctx.Done():
			t.Fatalf("%s: %d calls, want %d", what, c.calls.Load(), n)
		}
	}
}

// wire is a link that can be cut.
type wire struct {
	address, to string

	mu    sync.Mutex
	isCut bool
	ends  map[net.Conn]struct{}
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{address: listener.Addr().String(), to: u.Host, ends: map[net.Conn]struct{}{}}
	t.Cleanup(func() {
		_ = listener.Close()
		w.cut()
	})
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go w.carry(near)
		}
	}()
	return w
}

func (w *wire) carry(near net.Conn) {
	far, err := net.Dial("tcp", w.to)
	if err != nil {
		_ = near.Close()
		return
	}
	if !w.hold(near, far) {
		_, _ = near.Close(), far.Close()
		return
	}
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
	_ = near.Close()
}

func (w *wire) hold(ends ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range ends {
		w.ends[c] = struct{}{}
	}
	return !w.isCut
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = true
	for c := range w.ends {
		_ = c.Close()
	}
	clear(w.ends)
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = false
}
