package local_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/model/simulated"
	"baton.dev/baton/internal/natstest"
	"baton.dev/baton/internal/redisstate"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/results/kvcells"
	"baton.dev/baton/internal/shared"
)

// bench is the chain in this process on an embedded server with its files on disk, a model server that answers at once, and
// a receiver that counts: what a request costs, but for the model. The figures hold the server, the model server, the
// receiver and the sender, as those of the barest chain do.
type bench struct {
	chain    chain.Config
	key      string
	receiver *httptest.Server
	client   *http.Client
	settled  atomic.Int64
	waiting  sync.Map // request id -> channel that is closed by its callback
}

func newBench(b *testing.B, syncAlways, together bool) *bench {
	b.Helper()
	return newBenchWith(b, syncAlways, together, shared.Memory())
}

// newBenchWith is newBench with the stores of what is shared.
func newBenchWith(b *testing.B, syncAlways, together bool, stores shared.Stores) *bench {
	b.Helper()
	dir := b.TempDir()
	server := natstest.Start(b, syncAlways)
	nc := natstest.Connect(b, server)
	bus, err := natsbus.New(b.Context(), nc, natsbus.Options{Together: together})
	if err != nil {
		b.Fatal(err)
	}
	cells, err := kvcells.New(b.Context(), nc, bus.JetStream(), kvcells.Options{Together: together})
	if err != nil {
		b.Fatal(err)
	}
	models := httptest.NewServer(simulated.New(catalog.Simulate{Tokens: 8}))
	b.Cleanup(models.Close)
	x := &bench{client: benchClient()}
	x.receiver = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if done, ok := x.waiting.LoadAndDelete(r.URL.Path); ok {
			close(done.(chan struct{}))
		}
	}))
	b.Cleanup(x.receiver.Close)
	path, key, _ := writeConfig(b, dir, fmt.Sprintf("{name: sim, api: openai, concurrency: 256, url: %s/v1}", models.URL))
	cat, err := catalog.Load(path)
	if err != nil {
		b.Fatal(err)
	}
	x.key = key
	secrets := func(s catalog.Secret) (string, error) { return s.Resolve(os.Getenv) }
	openai := model.NewOpenAI(model.OpenAIConfig{Key: secrets})
	b.Cleanup(openai.Close)
	kept := results.New(cells)
	known, err := shared.New(shared.Config{
		Stores: stores, Catalog: catalog.Static(cat), Results: kept, Depths: bus.Depths, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	x.chain = chain.Config{
		Bus: bus, Results: kept, Shared: known, Catalog: catalog.Static(cat), Secrets: secrets,
		Models: model.Clients{catalog.OpenAI: openai}, Log: slog.New(slog.DiscardHandler),
		Observe: func(hop.Settled) { x.settled.Add(1) },
	}
	return x
}

// run runs the functions until the benchmark ends or stop is called.
func (x *bench) run(b *testing.B, hops ...events.Hop) (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := x.chain.Run(ctx, hops...); err != nil {
			b.Error(err)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

const benchBody = `{"request_id":%q,"model_id":"m","messages":[{"role":"user","content":"Who carries the baton over the last hundred metres, and who dropped it before?"}],"parameters":{"temperature":0.2,"max_tokens":64},"callback_url":%q}`

// throughput sends n requests with some in flight at once, from acceptance to callback, and returns how long it took.
func (x *bench) throughput(b *testing.B, url string, n, inFlight int) time.Duration {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range inFlight {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				id := uuid.NewString()
				done := make(chan struct{})
				x.waiting.Store("/"+id, done)
				if err := postBench(x.client, url+"/v1/inferences", x.key, fmt.Appendf(nil, benchBody, id, x.receiver.URL+"/"+id)); err != nil {
					b.Error(err)
					return
				}
				<-done
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

func postBench(client *http.Client, url, key string, body []byte) error {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("answered %d: %s", resp.StatusCode, answer)
	}
	return nil
}

func benchClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4096, MaxIdleConns: 8192}}
}

const benchInFlight = 256

// BenchmarkChain runs the chain against the barest chain of its shape on the same parts, in turns, and reports both.
func BenchmarkChain(b *testing.B) {
	for name, c := range map[string]struct{ syncAlways, together, redis bool }{
		"sync=interval":        {},
		"sync=interval,redis":  {redis: true},
		"sync=always":          {syncAlways: true, together: true},
		"sync=always,onebyone": {syncAlways: true}, // without group commit
	} {
		b.Run(name, func(b *testing.B) {
			stores := shared.Memory()
			if c.redis {
				stores = redisstate.Stores(benchRedis(b))
			}
			x := newBenchWith(b, c.syncAlways, c.together, stores)
			ingest := httptest.NewServer(x.chain.Ingest())
			b.Cleanup(ingest.Close)
			stop := x.run(b)
			defer stop()
			bare := newBarest(b, c.syncAlways)
			x.throughput(b, ingest.URL, benchInFlight, benchInFlight)
			bare.throughput(b, benchInFlight, benchInFlight)

			const turns = 4
			var ours, theirs usage
			b.ResetTimer()
			for range turns {
				n := max(b.N/turns, 1)
				ours.measure(n, func() { x.throughput(b, ingest.URL, n, benchInFlight) })
				theirs.measure(n, func() { bare.throughput(b, n, benchInFlight) })
			}
			ours.report(b, "")
			theirs.report(b, "-barest")
			b.ReportMetric(ours.rate()/theirs.rate(), "ratio")
		})
	}
}

// benchRedis returns a client of a redis-server where there is one, and of one in this process otherwise.
func benchRedis(b *testing.B) redis.UniversalClient {
	b.Helper()
	var address string
	if path, err := exec.LookPath("redis-server"); err == nil {
		_, port, _ := net.SplitHostPort(freeAddress(b))
		server := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
		if err := server.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_ = server.Process.Kill()
			_ = server.Wait()
		})
		address = "127.0.0.1:" + port
	} else {
		address = miniredis.RunT(b).Addr()
	}
	client, err := redisstate.Open("redis://"+address, redisstate.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	for client.Ping(b.Context()).Err() != nil { // it is on its way
		pause(b.Context(), 10*time.Millisecond)
	}
	return client
}

// BenchmarkHop runs one hop alone over a backlog of its events.
func BenchmarkHop(b *testing.B) {
	b.Run("ingest", func(b *testing.B) {
		x := newBench(b, false, false)
		ingest := httptest.NewServer(x.chain.Ingest())
		b.Cleanup(ingest.Close)
		send := func(n int) {
			var next atomic.Int64
			var wg sync.WaitGroup
			for range benchInFlight {
				wg.Go(func() {
					for next.Add(1) <= int64(n) {
						id := uuid.NewString()
						if err := postBench(x.client, ingest.URL+"/v1/inferences", x.key, fmt.Appendf(nil, benchBody, id, x.receiver.URL+"/"+id)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		}
		send(benchInFlight)
		var u usage
		b.ResetTimer()
		u.measure(b.N, func() { send(b.N) })
		u.report(b, "")
	})
	for _, h := range []events.Hop{events.Schedule, events.Infer, events.Callback} {
		b.Run(string(h), func(b *testing.B) {
			x := newBench(b, false, false)
			x.backlog(b, h, b.N)
			x.settled.Store(0)
			var u usage
			b.ResetTimer()
			u.measure(b.N, func() {
				stop := x.run(b, h)
				for x.settled.Load() < int64(b.N) {
					runtime.Gosched()
					<-time.After(100 * time.Microsecond)
				}
				stop()
			})
			u.report(b, "")
		})
	}
}

// backlog stores n events for the hop, as the hops before it make them.
func (x *bench) backlog(b *testing.B, h events.Hop, n int) {
	b.Helper()
	now := time.Now()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range benchInFlight {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				id := uuid.NewString()
				body := fmt.Appendf(nil, benchBody, id, x.receiver.URL+"/"+id)
				e := events.New("t", events.Request{RequestID: id, ModelID: "m", CallbackURL: x.receiver.URL + "/" + id}, events.Normal, body, now, now.Add(time.Hour))
				if h != events.Schedule {
					e = e.Next(events.Schedule, events.Scheduled, 1, now)
					e.Target = "sim"
				}
				if h == events.Callback {
					e = e.Next(events.Infer, events.Completed, 1, now)
					e.Data = fmt.Appendf(nil, `{"message_id":%q,"status":"completed","output":"The anchor carries it, and nobody dropped it this time."}`, e.Subject)
				}
				if err := x.chain.Bus.Publish(b.Context(), e); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// usage is what some requests cost.
type usage struct {
	requests int
	took     time.Duration
	cpu      time.Duration
	allocs   uint64
}

func (u *usage) measure(n int, f func()) {
	var m0, m1 runtime.MemStats
	var r0, r1 syscall.Rusage
	runtime.ReadMemStats(&m0)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r0)
	began := time.Now()
	f()
	u.took += time.Since(began)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r1)
	runtime.ReadMemStats(&m1)
	u.requests += n
	u.cpu += time.Duration(r1.Utime.Nano() - r0.Utime.Nano() + r1.Stime.Nano() - r0.Stime.Nano())
	u.allocs += m1.Mallocs - m0.Mallocs
}

func (u *usage) rate() float64 { return float64(u.requests) / u.took.Seconds() }

func (u *usage) report(b *testing.B, suffix string) {
	b.ReportMetric(u.rate(), "req/s"+suffix)
	b.ReportMetric(float64(u.cpu.Microseconds())/float64(u.requests), "cpu-µs/req"+suffix)
	b.ReportMetric(float64(u.allocs)/float64(u.requests), "allocs/req"+suffix)
}
