// Package leasetest is the conformance suite of [lease.Store].
package leasetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/internal/lease"
)

const (
	ttl  = 30 * time.Second
	keep = 10 * time.Minute
)

// Run tests a store. open returns one with nothing in it, apart from all others.
func Run(t *testing.T, open func(*testing.T) lease.Store) {
	for name, test := range map[string]func(*testing.T, func(*testing.T) lease.Store){
		"one has the lease at a time":                           oneAtATime,
		"a lease that ran out goes to the next":                 aLeaseThatRanOut,
		"a lease that ran out and nobody took is still held":    nobodyTookIt,
		"a lease lasts from its last renewal":                   renewed,
		"an outcome is known until it is kept no more":          anOutcomeIsKept,
		"the first outcome stays":                               theFirstOutcomeStays,
		"an empty outcome is one":                               anEmptyOutcome,
		"a key that is freed is granted again":                  freed,
		"a late holder does not finish over a newer one":        fenced,
		"tokens grow though the clock does not":                 tokensGrow,
		"a store that forgot believes the last holder":          forgot,
		"a store that forgot refuses a holder of long ago":      longAgo,
		"of two that a store forgot the newer one has the key":  forgotTwo,
		"of many at once one is granted":                        atOnce,
		"keys are apart, whatever is in them":                   keysAreApart,
		"it answers as the one in memory does, step after step": asMemory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open)
		})
	}
}

// clocked is a store, a key and a clock.
type clocked struct {
	*testing.T

	store lease.Store
	key   string
	now   time.Time
}

func setup(t *testing.T, store lease.Store) *clocked {
	return &clocked{t, store, "01JQ-scheduled-1", time.Now().Truncate(time.Second)}
}

func (c *clocked) acquire() lease.Grant {
	c.Helper()
	g, err := c.store.Acquire(c.Context(), c.key, c.now, ttl)
	if err != nil {
		c.Fatal(err)
	}
	return g
}

// granted acquires the key, which must be granted, and returns the token.
func (c *clocked) granted() int64 {
	c.Helper()
	g := c.acquire()
	if g.Token <= 0 || !g.Until.IsZero() || g.Outcome != nil {
		c.Fatalf("not granted: %+v", g)
	}
	return g.Token
}

// isHeld checks that the key is held until then.
func (c *clocked) isHeld(until time.Time) {
	c.Helper()
	if g := c.acquire(); g.Token != 0 || !g.Until.Equal(until) || g.Outcome != nil {
		c.Errorf("grant %+v, want held until %v", g, until)
	}
}

// isDone checks that the key has the outcome.
func (c *clocked) isDone(outcome string) {
	c.Helper()
	if g := c.acquire(); g.Token != 0 || !g.Until.IsZero() || g.Outcome == nil || string(g.Outcome) != outcome {
		c.Errorf("grant %+v, want the outcome %q", g, outcome)
	}
}

func (c *clocked) renew(token int64, want bool) {
	c.Helper()
	if ok, err := c.store.Renew(c.Context(), c.key, token, c.now, ttl); ok != want || err != nil {
		c.Errorf("renew: %t, %v, want %t", ok, err, want)
	}
}

func (c *clocked) finish(token int64, outcome []byte, want bool) {
	c.Helper()
	if ok, err := c.store.Finish(c.Context(), c.key, token, c.now, outcome, keep); ok != want || err != nil {
		c.Errorf("finish: %t, %v, want %t", ok, err, want)
	}
}

func oneAtATime(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	c.granted()
	until := c.now.Add(ttl)
	c.isHeld(until)
	c.now = until.Add(-time.Millisecond)
	c.isHeld(until)
}

func aLeaseThatRanOut(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	first := c.granted()
	c.now = c.now.Add(ttl)
	second := c.granted()
	if second <= first {
		t.Errorf("token %d after %d", second, first)
	}
	c.renew(first, false)
	c.renew(second, true)
	c.finish(first, []byte("late"), false)
	c.finish(first, nil, false)
	c.isHeld(c.now.Add(ttl))
	c.finish(second, []byte("right"), true)
	c.isDone("right")
}

func nobodyTookIt(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	token := c.granted()
	c.now = c.now.Add(ttl + time.Minute)
	c.renew(token, true)
	c.isHeld(c.now.Add(ttl))
	c.now = c.now.Add(ttl + time.Minute)
	c.finish(token, []byte("done"), true)
	c.isDone("done")
}

func renewed(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	token := c.granted()
	for range 5 {
		c.now = c.now.Add(ttl * 2 / 3)
		c.renew(token, true)
		c.isHeld(c.now.Add(ttl))
	}
	c.now = c.now.Add(ttl)
	c.granted()
}

func anOutcomeIsKept(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	token := c.granted()
	outcome := []byte("done\x00\xff")
	c.finish(token, outcome, true)
	copy(outcome, "XXXX") // the store has its own
	c.isDone("done\x00\xff")
	c.renew(token, false)
	c.now = c.now.Add(keep - time.Millisecond)
	c.isDone("done\x00\xff")
	c.now = c.now.Add(time.Millisecond)
	next := c.granted()
	if next <= token {
		t.Errorf("token %d after %d", next, token)
	}
	c.finish(token, []byte("again"), false)
	c.finish(next, []byte("anew"), true)
	c.isDone("anew")
}

func theFirstOutcomeStays(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	token := c.granted()
	c.finish(token, []byte("first"), true)
	c.finish(token, []byte("first"), true)
	c.finish(token, []byte("second"), true)
	c.finish(token, nil, true)
	c.isDone("first")
}

func anEmptyOutcome(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	c.finish(c.granted(), []byte{}, true)
	c.isDone("")
}

func freed(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	first := c.granted()
	c.finish(first, nil, true)
	c.finish(first, nil, true)
	c.finish(first, []byte("after all"), false)
	c.renew(first, false)
	second := c.granted()
	if second <= first {
		t.Errorf("token %d after %d", second, first)
	}
	c.finish(first, nil, false)
	c.isHeld(c.now.Add(ttl))
}

func fenced(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	late := c.granted()
	c.now = c.now.Add(ttl)
	c.finish(c.granted(), []byte("newer"), true)
	c.finish(late, []byte("late"), false)
	c.finish(late, nil, false)
	c.isDone("newer")
	// Nor does it once the outcome is kept no more, or the newer one has freed the key.
	c.now = c.now.Add(keep)
	c.finish(late, []byte("late"), false)
	c.finish(c.granted(), nil, true)
	c.finish(late, []byte("late"), false)
	c.renew(late, false)
	c.granted()
}

func tokensGrow(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	last := int64(0)
	for i := range 20 {
		token := c.granted()
		if token <= last {
			t.Fatalf("token %d after %d", token, last)
		}
		last = token
		c.finish(token, nil, true)
		if i%2 == 1 { // another process's clock
			c.now = c.now.Add(-time.Second)
		}
	}
}

func forgot(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	token := c.granted()
	t.Run("by a renewal", func(t *testing.T) {
		c := &clocked{t, open(t), c.key, c.now.Add(time.Second)}
		c.renew(token, true)
		c.isHeld(c.now.Add(ttl))
		c.finish(token, []byte("done"), true)
		c.isDone("done")
	})
	t.Run("by an outcome", func(t *testing.T) {
		c := &clocked{t, open(t), c.key, c.now.Add(lease.Remembered)}
		c.finish(token, []byte("done"), true)
		c.isDone("done")
	})
	t.Run("unless another came meanwhile", func(t *testing.T) {
		c := &clocked{t, open(t), c.key, c.now.Add(time.Second)}
		if next := c.granted(); next <= token {
			t.Errorf("token %d after %d", next, token)
		}
		c.renew(token, false)
		c.finish(token, []byte("done"), false)
		c.isHeld(c.now.Add(ttl))
	})
}

func longAgo(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	token := c.granted()
	c.store, c.now = open(t), c.now.Add(lease.Remembered+time.Millisecond)
	c.renew(token, false)
	c.finish(token, []byte("late"), false)
	c.granted()
}

func forgotTwo(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	first := c.granted()
	c.now = c.now.Add(ttl)
	second := c.granted()
	c.store = open(t)
	c.renew(first, true) // it knows no better
	c.renew(second, true)
	c.renew(first, false)
	c.finish(first, []byte("late"), false)
	c.finish(second, []byte("right"), true)
	c.isDone("right")
}

func atOnce(t *testing.T, open func(*testing.T) lease.Store) {
	c := setup(t, open(t))
	var mu sync.Mutex
	var tokens []int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			g, err := c.store.Acquire(t.Context(), c.key, c.now, ttl)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case g.Token > 0:
				tokens = append(tokens, g.Token)
			case !g.Until.Equal(c.now.Add(ttl)):
				t.Errorf("held until %v", g.Until)
			}
		})
	}
	wg.Wait()
	if len(tokens) != 1 {
		t.Errorf("%d were granted", len(tokens))
	}
}

func keysAreApart(t *testing.T, open func(*testing.T) lease.Store) {
	store := open(t)
	keys := []string{"a", "a:outcome", "{a}", "a}", "}", "{", "", "ü \n", "a{b}c"}
	for _, key := range keys {
		c := setup(t, store)
		c.key = key
		c.finish(c.granted(), []byte("of "+key), true)
	}
	for _, key := range keys {
		c := setup(t, store)
		c.key = key
		c.isDone("of " + key)
	}
}

// asMemory takes the same steps with the store and with one in memory, seeded ones. The clock goes on by less than what is
// remembered, since no two stores forget at the same time.
func asMemory(t *testing.T, open func(*testing.T) lease.Store) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 0))
		stores := []lease.Store{open(t), lease.NewMemory()}
		now := time.Now().Truncate(time.Second)
		end := now.Add(lease.Remembered)
		tokens := []int64{now.UnixMicro()}
		for now.Before(end) {
			step := randomStep(r, now, tokens)
			var answers []string
			for _, s := range stores {
				answer, token := step.take(t.Context(), s)
				answers = append(answers, answer)
				if token != 0 && !slices.Contains(tokens, token) {
					tokens = append(tokens, token)
				}
			}
			if answers[0] != answers[1] {
				t.Fatalf("seed %d: %+v: %s, in memory %s", seed, step, answers[0], answers[1])
			}
			now = now.Add(time.Duration(r.IntN(12000)) * time.Millisecond)
		}
	}
}

// step is one of them.
type step struct {
	does    string
	token   int64
	now     time.Time
	outcome []byte
}

func randomStep(r *rand.Rand, now time.Time, tokens []int64) step {
	s := step{"acquire", tokens[max(0, len(tokens)-1-r.IntN(3))], now, nil}
	switch r.IntN(5) {
	case 0:
		s.does = "renew"
	case 1:
		s.does = "free"
	case 2:
		s.does, s.outcome = "finish", fmt.Append(nil, r.Uint32())
	}
	return s
}

func (s step) take(ctx context.Context, store lease.Store) (answer string, token int64) {
	const key, keep = "k", time.Minute
	switch s.does {
	case "acquire":
		g, err := store.Acquire(ctx, key, s.now, ttl)
		return fmt.Sprintf("%d %d %q %v", g.Token, g.Until.UnixMicro(), g.Outcome, err), g.Token
	case "renew":
		ok, err := store.Renew(ctx, key, s.token, s.now, ttl)
		return fmt.Sprint(ok, err), 0
	default:
		ok, err := store.Finish(ctx, key, s.token, s.now, s.outcome, keep)
		return fmt.Sprint(ok, err), 0
	}
}
