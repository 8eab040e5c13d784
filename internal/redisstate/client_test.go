package redisstate

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

func open(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	client, err := Open(url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestElastiCachesNamesSayWhatIsACluster(t *testing.T) {
	t.Parallel()
	for url, cluster := range map[string]bool{
		"rediss://baton-abc123.serverless.euc1.cache.amazonaws.com:6379": true,
		"rediss://clustercfg.baton.abc123.euc1.cache.amazonaws.com:6379": true,
		"rediss://master.baton.abc123.euc1.cache.amazonaws.com:6379":     false,
		"redis://127.0.0.1:6379":                                            false,
		"rediss://clustercfg.serverless.example:6379":                       false,
		"rediss://user:pass@baton.serverless.use1.cache.amazonaws.com:6379": true,
	} {
		if _, is := open(t, url).(*redis.ClusterClient); is != cluster {
			t.Errorf("%s is taken for a cluster: %t", url, is)
		}
	}
}

func TestAURLThatIsNoneIsRefusedWithoutShowingIt(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "http://:top-secret@cache.example", "redis://:top-secret@cache.example/nodb", "redis://:top-secret@%zz",
		"rediss://:top-secret@clustercfg.baton.abc123.euc1.cache.amazonaws.com:6379/1",
		"redis://:top-secret@cache.example?dial_timeout=soon",
	} {
		client, err := Open(url, Options{})
		if err == nil {
			_ = client.Close()
			t.Errorf("%s opens", url)
			continue
		}
		if strings.Contains(err.Error(), "top-secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestWhatTheURLSaysOfTimeStands(t *testing.T) {
	t.Parallel()
	long, ok := open(t, "redis://127.0.0.1:1?dial_timeout=7s&read_timeout=8s").(*redis.Client)
	if !ok {
		t.Fatal("another kind of client")
	}
	if o := long.Options(); o.DialTimeout != 7*time.Second || o.ReadTimeout != 8*time.Second || o.WriteTimeout != patience {
		t.Errorf("timeouts %v, %v, %v", o.DialTimeout, o.ReadTimeout, o.WriteTimeout)
	}
	given, err := Open("redis://127.0.0.1:1", Options{DialTimeout: 3 * time.Second, MaxIdle: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = given.Close() }()
	if o := given.(*redis.Client).Options(); o.DialTimeout != 3*time.Second || o.ConnMaxIdleTime != time.Minute {
		t.Errorf("dials for %v, idle for %v", o.DialTimeout, o.ConnMaxIdleTime)
	}
}

// eventually calls done until it is, which it must be within the time that a loaded machine may take.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

// asks are the ways by which a question reaches the server.
func asks() map[string]func(context.Context, redis.UniversalClient) error {
	script := redis.NewScript("return redis.call('SET', KEYS[1], ARGV[1])")
	return map[string]func(context.Context, redis.UniversalClient) error{
		"a command": func(ctx context.Context, c redis.UniversalClient) error { return c.Set(ctx, "k", "v", 0).Err() },
		"a script": func(ctx context.Context, c redis.UniversalClient) error {
			return script.Run(ctx, c, []string{"k"}, "v").Err()
		},
		"a pipeline": func(ctx context.Context, c redis.UniversalClient) error {
			cmds, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, "k", "v", 0)
				p.Get(ctx, "k")
				return nil
			})
			for _, cmd := range cmds {
				if !errors.Is(cmd.Err(), err) {
					return errors.Join(errors.New("a command of the pipeline has another error"), err, cmd.Err())
				}
			}
			return err
		},
		"a transaction": func(ctx context.Context, c redis.UniversalClient) error {
			_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, "k", "v", 0).Err() })
			return err
		},
	}
}

func TestAServerThatIsAwayIsLeftAloneUntilItIsBack(t *testing.T) {
	t.Parallel()
	for name, ask := range asks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			client := open(t, "redis://:top-secret@"+server.Addr())
			server.RequireAuth("top-secret")
			if err := ask(t.Context(), client); err != nil {
				t.Fatal(err)
			}
			server.Close()
			began := time.Now()
			for range 4 {
				err := ask(t.Context(), client)
				if !errors.Is(err, ErrAway) {
					t.Fatalf("with no server: %v", err)
				}
				if strings.Contains(err.Error(), "top-secret") || strings.Contains(err.Error(), "redis://") {
					t.Errorf("the error shows the URL: %v", err)
				}
			}
			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
			if err := ask(t.Context(), client); !errors.Is(err, ErrAway) && time.Since(began) < time.Second {
				t.Errorf("the server was asked within the second: %v", err)
			}
			eventually(t, "the server is back and is not asked", func() bool { return ask(t.Context(), client) == nil })
		})
	}
}

// The probe of a breaker that is half open needs a new connection, whose greeting must not count as a second question.
func TestOneQuestionIsEnoughToSeeThatTheServerIsBack(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := open(t, "redis://"+server.Addr())
	server.Close()
	for range 3 {
		_ = client.Ping(t.Context()).Err()
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	refused := 0
	eventually(t, "the server is back and is not asked", func() bool {
		err := client.Ping(t.Context()).Err()
		if err != nil && !strings.Contains(err.Error(), "circuit breaker is open") {
			refused++
		}
		return err == nil
	})
	if refused > 0 {
		t.Errorf("%d questions were asked in vain after the server was back", refused)
	}
}

func TestAnswersAndTheCallersOwnDoingDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := open(t, "redis://"+server.Addr())
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, stop := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer stop()
	broken := redis.NewScript("return redis.call('NOSUCHCOMMAND')")
	for range 10 {
		if err := client.Get(t.Context(), "none").Err(); !errors.Is(err, redis.Nil) {
			t.Errorf("no such key: %v", err)
		}
		if err := broken.Run(t.Context(), client, []string{"k"}).Err(); err == nil || errors.Is(err, ErrAway) {
			t.Errorf("an error of Lua's: %v", err)
		}
		_, err := client.Pipelined(t.Context(), func(p redis.Pipeliner) error { return p.Get(t.Context(), "none").Err() })
		if !errors.Is(err, redis.Nil) {
			t.Errorf("a pipeline: %v", err)
		}
		if err := client.Ping(canceled).Err(); !errors.Is(err, context.Canceled) || errors.Is(err, ErrAway) {
			t.Errorf("canceled: %v", err)
		}
		if err := client.Ping(late).Err(); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrAway) {
			t.Errorf("too late: %v", err)
		}
	}
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the server is left alone: %v", err)
	}
}

func TestAServerThatCannotWorkIsAway(t *testing.T) {
	t.Parallel()
	for _, says := range []string{
		"LOADING Redis is loading the dataset in memory", "READONLY You can't write against a read only replica.",
		"CLUSTERDOWN The cluster is down", "MASTERDOWN Link with MASTER is down", "ERR max number of clients reached",
	} {
		server := miniredis.RunT(t)
		client := open(t, "redis://"+server.Addr())
		if err := client.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		server.SetError(says)
		if err := client.Set(t.Context(), "k", "v", 0).Err(); !errors.Is(err, ErrAway) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// A server that takes connections and says nothing is the slowest way to be away.
func TestAServerThatSaysNothingIsGivenUpSoon(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var questions atomic.Int32
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			questions.Add(1)
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-served })
	client := open(t, "redis://"+l.Addr().String()+"?read_timeout=20ms")
	began := time.Now()
	for range 10 {
		if err := client.Ping(t.Context()).Err(); !errors.Is(err, ErrAway) {
			t.Fatalf("ping: %v", err)
		}
	}
	// Three questions, each asked twice at most, and one more for each second that this machine takes for the others.
	if n, most := questions.Load(), 6+2*int32(time.Since(began).Seconds()); n < 3 || n > most {
		t.Errorf("%d connections for 10 questions, want 3 to %d", n, most)
	}
}

func TestAPipelineIsAsGoodAsItsWorstCommand(t *testing.T) {
	t.Parallel()
	g := newGuard()
	send := g.ProcessPipelineHook(func(_ context.Context, cmds []redis.Cmder) error {
		cmds[0].SetErr(redis.Nil)
		cmds[1].SetErr(io.EOF)
		return redis.Nil
	})
	cmds := func() []redis.Cmder {
		return []redis.Cmder{redis.NewCmd(t.Context(), "get", "a"), redis.NewCmd(t.Context(), "get", "b")}
	}
	for range 3 {
		c := cmds()
		if err := send(t.Context(), c); !errors.Is(err, redis.Nil) || !errors.Is(c[0].Err(), redis.Nil) || !errors.Is(c[1].Err(), ErrAway) {
			t.Errorf("pipeline: %v; %v, %v", err, c[0].Err(), c[1].Err())
		}
	}
	c := cmds()
	if err := send(t.Context(), c); !errors.Is(err, ErrAway) || !errors.Is(c[0].Err(), ErrAway) || !errors.Is(c[1].Err(), ErrAway) {
		t.Errorf("after three: %v; %v, %v", err, c[0].Err(), c[1].Err())
	}
}
