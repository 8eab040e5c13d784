// Package answerstest is the conformance suite of stores of answers: what any place that processes share promises.
package answerstest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/internal/answers"
)

// Place is where answers are kept, new and empty.
type Place struct {
	// Open opens the place as another process would.
	Open func() answers.Store
	// Pass lets the time pass by which the place lets values go; nil: that is the machine's.
	Pass func(time.Duration)
}

func (p Place) pass(d time.Duration) {
	if p.Pass != nil {
		p.Pass(d)
		return
	}
	<-time.After(d)
}

// Run runs the suite, each part of it on a place of its own.
func Run(t *testing.T, start func(t *testing.T) Place) {
	for _, c := range []struct {
		promise string
		check   func(*testing.T, Place)
	}{
		{"under an unknown key nothing is found", unknown},
		{"what was put is read everywhere, byte for byte", readEverywhere},
		{"the last put stands", lastPutStands},
		{"what was passed in is not kept", notKept},
		{"a value whose time is over is not found", valueExpires},
		{"of many that want to lead at once exactly one does", oneLeads},
		{"the leader leads on when it asks again", leaderRenews},
		{"after the leader has landed another leads", landingFrees},
		{"nobody lands for the leader", landingOfAnother},
		{"a lead that is not renewed is over", leadExpires},
		{"where there is an answer nobody leads", answeredNobodyLeads},
		{"what is over is told by the clock of who asks", askersClock},
		{"a lead that ends early ends no other", leadsEndApart},
		{"a leader that widens the flight lets that many lead", widens},
		{"a flight is one wide again when the time of that is over", widthExpires},
		{"the widest width stands", widestStands},
		{"nobody widens for the leader", wideningOfAnother},
		{"in a flight for everyone all lead, and nobody is noted", everyoneLeads},
		{"of many that want to lead at once as many do as the flight is wide", asManyAsWide},
		{"keys have nothing to do with each other", keysApart},
		{"many equal requests at once make one call", oneCall},
	} {
		t.Run(c.promise, func(t *testing.T) {
			t.Parallel()
			c.check(t, start(t))
		})
	}
}

const key = "v1.LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ"

const (
	brief = 20 * time.Millisecond // a time that a test can wait for
	long  = time.Hour             // one that no test outlives
)

func put(t *testing.T, s answers.Store, key, value string) {
	t.Helper()
	if err := s.Put(t.Context(), key, []byte(value), time.Now(), long); err != nil {
		t.Fatalf("put: %v", err)
	}
}

func get(t *testing.T, s answers.Store, key, want string) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); err != nil || string(got) != want {
		t.Errorf("get: %.40q, %v, want %.40q", got, err, want)
	}
}

func lead(t *testing.T, s answers.Store, key, holder, want string) {
	t.Helper()
	if got, err := s.Lead(t.Context(), key, holder, time.Now(), long); err != nil || got != want {
		t.Errorf("lead of %s: %q, %v, want %q", holder, got, err, want)
	}
}

func land(t *testing.T, s answers.Store, key, holder string) {
	t.Helper()
	if err := s.Land(t.Context(), key, holder); err != nil {
		t.Errorf("land of %s: %v", holder, err)
	}
}

func unknown(t *testing.T, p Place) {
	s := p.Open()
	if v, err := s.Get(t.Context(), key); !errors.Is(err, answers.ErrNotFound) || v != nil {
		t.Errorf("get: %q, %v, want %v", v, err, answers.ErrNotFound)
	}
	land(t, s, key, "m1")
}

func readEverywhere(t *testing.T, p Place) {
	for i, value := range []string{"", "{\"a\":\"<&> é\"}\n", "\x00\xff\r\n", strings.Repeat("x", 1<<20)} {
		k := fmt.Sprint(key, i)
		put(t, p.Open(), k, value)
		get(t, p.Open(), k, value)
	}
}

func lastPutStands(t *testing.T, p Place) {
	put(t, p.Open(), key, "one")
	put(t, p.Open(), key, "two")
	get(t, p.Open(), key, "two")
}

func notKept(t *testing.T, p Place) {
	s, value := p.Open(), []byte("one")
	if err := s.Put(t.Context(), key, value, time.Now(), long); err != nil {
		t.Fatal(err)
	}
	copy(value, "two")
	got, err := s.Get(t.Context(), key)
	if err != nil || !bytes.Equal(got, []byte("one")) {
		t.Errorf("get: %q, %v, want %q", got, err, "one")
	}
	copy(got, "two")
	get(t, s, key, "one")
}

func valueExpires(t *testing.T, p Place) {
	s := p.Open()
	if err := s.Put(t.Context(), key, []byte("v"), time.Now(), brief); err != nil {
		t.Fatal(err)
	}
	p.pass(2 * brief)
	if v, err := s.Get(t.Context(), key); !errors.Is(err, answers.ErrNotFound) {
		t.Errorf("get: %q, %v", v, err)
	}
	lead(t, s, key, "m1", "m1")
}

func oneLeads(t *testing.T, p Place) {
	stores := []answers.Store{p.Open(), p.Open(), p.Open(), p.Open()}
	leaders := make([]string, 64)
	var wg sync.WaitGroup
	for n := range leaders {
		wg.Go(func() {
			var err error
			leaders[n], err = stores[n%len(stores)].Lead(t.Context(), key, fmt.Sprintf("m%d", n), time.Now(), long)
			if err != nil {
				t.Errorf("lead: %v", err)
			}
		})
	}
	wg.Wait()
	for _, l := range leaders {
		if l == "" || l != leaders[0] {
			t.Errorf("one was told that %q leads, and another %q", leaders[0], l)
		}
	}
}

func leaderRenews(t *testing.T, p Place) {
	s := p.Open()
	if _, err := s.Lead(t.Context(), key, "m1", time.Now(), brief); err != nil {
		t.Fatal(err)
	}
	lead(t, s, key, "m1", "m1")
	p.pass(2 * brief)
	lead(t, p.Open(), key, "m2", "m1")
}

func landingFrees(t *testing.T, p Place) {
	lead(t, p.Open(), key, "m1", "m1")
	lead(t, p.Open(), key, "m2", "m1")
	land(t, p.Open(), key, "m1")
	land(t, p.Open(), key, "m1")
	lead(t, p.Open(), key, "m2", "m2")
	lead(t, p.Open(), key, "m1", "m2")
}

func landingOfAnother(t *testing.T, p Place) {
	lead(t, p.Open(), key, "m1", "m1")
	land(t, p.Open(), key, "m2")
	lead(t, p.Open(), key, "m2", "m1")
}

func leadExpires(t *testing.T, p Place) {
	s := p.Open()
	if _, err := s.Lead(t.Context(), key, "m1", time.Now(), brief); err != nil {
		t.Fatal(err)
	}
	p.pass(2 * brief)
	lead(t, s, key, "m2", "m2")
	land(t, s, key, "m1") // too late
	lead(t, s, key, "m3", "m2")
}

func answeredNobodyLeads(t *testing.T, p Place) {
	lead(t, p.Open(), key, "m1", "m1")
	put(t, p.Open(), key, "v")
	lead(t, p.Open(), key, "m1", "")
	land(t, p.Open(), key, "m1")
	lead(t, p.Open(), key, "m2", "")
}

func askersClock(t *testing.T, p Place) {
	s, now := p.Open(), time.Now()
	later := now.Add(long)
	ask := func(key string, at time.Time, want string) {
		t.Helper()
		if got, err := p.Open().Lead(t.Context(), key, "m2", at, long); err != nil || got != want {
			t.Errorf("lead: %q, %v, want %q", got, err, want)
		}
	}
	if _, err := s.Lead(t.Context(), key, "m1", now, long); err != nil {
		t.Fatal(err)
	}
	ask(key, later.Add(-time.Millisecond), "m1")
	ask(key, later, "m2")
	if err := s.Put(t.Context(), key+"a", []byte("v"), now, long); err != nil {
		t.Fatal(err)
	}
	ask(key+"a", later.Add(-time.Millisecond), "")
	ask(key+"a", later, "m2")
}

func keysApart(t *testing.T, p Place) {
	s := p.Open()
	put(t, s, key+"a", "a")
	lead(t, s, key+"b", "m1", "m1")
	lead(t, s, key+"c", "m2", "m2")
	if _, err := s.Get(t.Context(), key+"b"); !errors.Is(err, answers.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
}

// oneCall is what the store is for: each of many looks, leads or waits, and the one that leads answers for all.
func oneCall(t *testing.T, p Place) {
	stores := []*answers.Answers{
		answers.New(answers.Config{Store: p.Open()}), answers.New(answers.Config{Store: p.Open()}),
		answers.New(answers.Config{Store: p.Open()}), answers.New(answers.Config{Store: p.Open()}),
	}
	var calls atomic.Int64
	var wg sync.WaitGroup
	for n := range 100 {
		wg.Go(func() {
			a, id := stores[n%len(stores)], fmt.Sprintf("m%d", n)
			for {
				if got, ok := a.Get(t.Context(), key); ok {
					if got.Output != "42" {
						t.Errorf("get: %+v", got)
					}
					return
				}
				if a.Lead(t.Context(), key, id, long) {
					calls.Add(1)
					a.Put(t.Context(), key, answers.Answer{Output: "42"}, long)
					a.Land(t.Context(), key, id)
				}
				<-time.After(time.Millisecond)
			}
		})
	}
	wg.Wait()
	if calls.Load() != 1 {
		t.Errorf("%d calls were made, want 1", calls.Load())
	}
}
