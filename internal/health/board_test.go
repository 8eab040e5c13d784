package health

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
)

func TestABoardAlone(t *testing.T) {
	t.Parallel()
	t.Run("knows nothing of a target at first", func(t *testing.T) {
		t.Parallel()
		b := New(Config{})
		if got := b.Status("a"); got != (Status{}) {
			t.Errorf("%+v", got)
		}
		if probe, ok := b.Admit(t.Context(), "a"); probe || !ok {
			t.Errorf("admit: %t, %t", probe, ok)
		}
	})
	t.Run("goes from closed to open to half-open to closed, and logs it", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		var moves []string
		b := New(Config{
			Now: c.clock, Jitter: noJitter, Log: slog.New(slog.NewTextHandler(&c.logs, nil)),
			Observe: func(target string, from, to State) { moves = append(moves, fmt.Sprint(target, " ", from, ">", to)) },
		})
		opens(b)
		if _, ok := b.Admit(t.Context(), "a"); ok {
			t.Error("an open breaker admits")
		}
		if got := b.Status("a"); got.State != Open || !got.Until.Equal(start.Add(5*time.Second)) || got.Failures != 0 {
			t.Errorf("%+v", got)
		}
		c.pass(5 * time.Second)
		for range 2 {
			if probe, ok := b.Admit(t.Context(), "a"); !probe || !ok {
				t.Errorf("half-open: %t, %t", probe, ok)
			}
			if probe, ok := b.Admit(t.Context(), "a"); probe || ok {
				t.Errorf("half-open, with a probe under way: %t, %t", probe, ok)
			}
			b.Report(Outcome{Target: "a", Latency: time.Second, Probe: true})
			c.pass(time.Second)
		}
		c.is(b, Closed)
		if got, want := strings.Join(moves, ", "), "a closed>open, a open>half_open, a half_open>closed"; got != want {
			t.Errorf("moves %s, want %s", got, want)
		}
		for text, times := range map[string]int{
			`msg="breaker opened" target=a from=closed reason="5 failures in a row, the last timeout"`: 1,
			`msg="breaker is half-open"`:                                    1,
			`msg="breaker closed" target=a from=half_open reason="2 probes`: 1,
			"\n": 3,
		} {
			c.logged(text, times)
		}
	})
	t.Run("has the figures of its attempts", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		b := New(Config{Now: c.clock})
		for i := range 100 {
			o := Outcome{Target: "a", Latency: 200 * time.Millisecond}
			if i%4 == 0 {
				o.Code = events.CodeTimeout
			}
			b.Report(o)
			c.pass(100 * time.Millisecond)
		}
		got := b.Status("a")
		if got.Attempts != 100 || got.Failures != 25 || got.Latency.Round(time.Millisecond) != 200*time.Millisecond || got.Rate < 9.5 || got.Rate > 10.5 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("counts no attempt that was not begun", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		b := New(Config{Now: c.clock})
		report(b, 10, events.CodeBreakerOpen)
		report(b, 10, events.CodeBudgetSpent)
		if got := b.Status("a"); got.Rate != 0 || got.Attempts != 0 {
			t.Errorf("%+v", got)
		}
		report(b, 10, events.CodeInvalidRequest) // it ended, and says nothing of the target's health
		if got := b.Status("a"); got.Rate < 9 || got.Rate > 11 || got.Attempts != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("can be synced, and has nothing to share", func(t *testing.T) {
		t.Parallel()
		b := New(Config{})
		opens(b)
		if err := b.Sync(t.Context()); err != nil || b.Status("a").State != Open {
			t.Errorf("%v, %+v", err, b.Status("a"))
		}
	})
	t.Run("gives a probe that was never reported up", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		b := New(Config{Now: c.clock})
		opens(b)
		c.pass(5 * time.Second)
		b.Admit(t.Context(), "a")
		c.pass(longestProbe)
		if _, ok := b.Admit(t.Context(), "a"); ok {
			t.Error("admitted while the probe may be under way")
		}
		c.pass(1)
		if probe, ok := b.Admit(t.Context(), "a"); !probe || !ok {
			t.Errorf("%t, %t", probe, ok)
		}
	})
}

func TestRunKeepsProcessesInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemory()
		targets := func() []string { return []string{"a"} }
		one := New(Config{Store: store, Targets: targets})
		two := New(Config{Store: store, Targets: targets})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { one.Run(ctx) })
		wg.Go(func() { two.Run(ctx) })
		synctest.Wait()
		opens(one)
		<-time.After(30 * time.Millisecond) // virtual: what is urgent goes soon
		synctest.Wait()
		if kept, err := store.Read(ctx, []string{"a"}, time.Now()); err != nil || len(kept[0]) == 0 {
			t.Errorf("nothing is shared: %v", err)
		}
		<-time.After(250 * time.Millisecond)
		synctest.Wait()
		if got := two.Status("a").State; got != Open {
			t.Errorf("the other has it %q", got)
		}
		report(two, 7, "") // not urgent
		cancel()
		wg.Wait()
		three := New(Config{Store: store, Targets: targets})
		if err := three.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := three.Status("a"); got.State != Open || got.Rate == 0 {
			t.Errorf("what was left was not shared: %+v", got)
		}
	})
}

func TestABoardIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.config.Targets = func() []string { return []string{"a", "b"} }
	c.config.Canary = func(target string) (string, []string) {
		if target == "b" {
			return "f", []string{"a"}
		}
		return "", nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running, wg sync.WaitGroup
	for range 2 {
		b := c.process()
		running.Go(func() { b.Run(ctx) })
		for w := range 4 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(w), 7))
				for range 300 {
					target := []string{"a", "b"}[r.IntN(2)]
					if probe, ok := b.Admit(ctx, target); ok {
						b.Report(Outcome{Target: target, Probe: probe, Code: []string{"", events.CodeTimeout}[r.IntN(2)]})
					}
					_ = b.Status(target)
					c.pass(time.Duration(r.IntN(100)) * time.Millisecond)
				}
			})
		}
	}
	wg.Wait()
	cancel()
	running.Wait()
}

func TestNothingOfAConfigurationIsShown(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.config.Targets = func() []string { return []string{"a", "canary"} }
	c.config.Canary = func(target string) (string, []string) {
		if target == "canary" {
			return "https://user:top-secret@model.example", []string{"a"}
		}
		return "", nil
	}
	b := c.process()
	report(b, 100, "")
	for range 10 {
		b.Report(Outcome{Target: "canary", Code: events.CodeUnauthorized})
	}
	c.sync(b)
	kept, err := c.store.Read(t.Context(), []string{"canary"}, start)
	if err != nil || len(kept[0]) == 0 {
		t.Fatal(err)
	}
	c.logged("canary is rolled back", 1)
	if text := c.logs.String() + string(slices.Concat(kept...)); strings.Contains(text, "top-secret") || strings.Contains(text, "example") {
		t.Errorf("it is shown:\n%s", text)
	}
}
