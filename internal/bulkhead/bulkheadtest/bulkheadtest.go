// Package bulkheadtest is the conformance suite of [bulkhead.Store].
package bulkheadtest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/internal/bulkhead"
)

const ttl = 30 * time.Second

// Run tests a store. open returns one with nobody in it, apart from all others.
func Run(t *testing.T, open func(*testing.T) bulkhead.Store) {
	for name, test := range map[string]func(*room){
		"as many are let in as the limit says":               asManyAsTheLimit,
		"who is in stays in, and may ask again":              askingAgain,
		"a place that ran out is free":                       ranOut,
		"a place lasts from when it was renewed":             renewed,
		"who leaves makes room":                              leaves,
		"who is inside counts, also where it was forgotten":  countsThoughForgotten,
		"the limit may be another each time":                 anotherLimit,
		"who has waited for long is not overtaken":           notOvertaken,
		"who has just come does not keep a free place empty": overtaken,
		"who asks no more holds nobody up":                   asksNoMore,
		"who left while waiting holds nobody up":             leftWhileWaiting,
		"of many at once no more than the limit are let in":  atOnce,
		"targets are apart, whatever is in their names":      targetsAreApart,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&room{t, open(t), "openai-main", time.Now().Truncate(time.Second)})
		})
	}
	t.Run("it answers as the one in memory does, step after step", func(t *testing.T) {
		t.Parallel()
		asMemory(t, open)
	})
}

// room is a target of a store, and a clock.
type room struct {
	*testing.T

	store  bulkhead.Store
	target string
	now    time.Time
}

func (r *room) enter(id string, limit int, want bool) {
	r.Helper()
	if ok, err := r.store.Enter(r.Context(), r.target, id, limit, r.now, ttl); ok != want || err != nil {
		r.Errorf("enter %s: %t, %v, want %t", id, ok, err, want)
	}
}

func (r *room) stay(id string) {
	r.Helper()
	if err := r.store.Stay(r.Context(), r.target, id, r.now, ttl); err != nil {
		r.Error(err)
	}
}

func (r *room) leave(id string) {
	r.Helper()
	if err := r.store.Leave(r.Context(), r.target, id); err != nil {
		r.Error(err)
	}
}

func asManyAsTheLimit(r *room) {
	r.enter("a", 2, true)
	r.enter("b", 2, true)
	r.enter("c", 2, false)
	r.enter("c", 0, false)
	r.enter("c", -1, false)
}

func askingAgain(r *room) {
	r.enter("a", 1, true)
	r.now = r.now.Add(ttl - time.Millisecond)
	r.enter("a", 1, true) // from now on anew
	r.now = r.now.Add(ttl - time.Millisecond)
	r.enter("b", 1, false)
	r.enter("a", 0, true)
}

func ranOut(r *room) {
	r.enter("a", 1, true)
	r.now = r.now.Add(ttl - time.Millisecond)
	r.enter("b", 1, false)
	r.now = r.now.Add(time.Millisecond)
	r.enter("b", 1, true)
	r.enter("a", 1, false)
}

func renewed(r *room) {
	r.enter("a", 1, true)
	for range 5 {
		r.now = r.now.Add(ttl * 2 / 3)
		r.stay("a")
		r.enter("b", 1, false)
	}
	r.now = r.now.Add(ttl)
	r.enter("b", 1, true)
}

func leaves(r *room) {
	r.leave("nobody")
	r.enter("a", 1, true)
	r.enter("b", 1, false)
	r.leave("a")
	r.leave("a")
	r.enter("b", 1, true)
}

func countsThoughForgotten(r *room) {
	r.stay("a") // the store has lost its memory since a came in
	r.enter("b", 1, false)
	r.leave("a")
	r.enter("b", 1, true)
	r.stay("a") // and b came in meanwhile
	r.leave("b")
	r.enter("c", 1, false)
}

func anotherLimit(r *room) {
	for i := range 4 {
		r.enter(strconv.Itoa(i), 4, true)
	}
	r.enter("x", 2, false)
	r.leave("0")
	r.leave("1")
	r.enter("x", 2, false)
	r.leave("2")
	r.enter("x", 2, true)
	r.enter("y", 3, true)
}

func notOvertaken(r *room) {
	r.enter("a", 1, true)
	r.enter("early", 1, false)
	r.now = r.now.Add(bulkhead.Turn)
	r.enter("early", 1, false)
	r.enter("late", 1, false)
	r.leave("a")
	r.now = r.now.Add(time.Millisecond)
	r.enter("late", 1, false) // the free place is due to the other
	r.enter("late", 2, true)  // of two one is not
	r.leave("late")
	r.enter("early", 1, true)
}

func overtaken(r *room) {
	r.enter("a", 1, true)
	r.enter("early", 1, false)
	r.leave("a")
	r.now = r.now.Add(bulkhead.Turn - time.Millisecond)
	r.enter("late", 1, true)
	r.leave("late")
	r.enter("early", 1, true)
}

func asksNoMore(r *room) {
	r.enter("a", 1, true)
	r.enter("gone", 1, false)
	r.leave("a")
	r.now = r.now.Add(bulkhead.Patience)
	r.enter("late", 1, false)
	r.now = r.now.Add(time.Millisecond)
	r.enter("late", 1, true)
}

func leftWhileWaiting(r *room) {
	r.enter("a", 1, true)
	r.enter("gone", 1, false)
	r.leave("a")
	r.leave("gone")
	r.now = r.now.Add(bulkhead.Turn)
	r.enter("late", 1, true)
}

func atOnce(r *room) {
	var in atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			ok, err := r.store.Enter(r.Context(), r.target, strconv.Itoa(i), 5, r.now, ttl)
			if err != nil {
				r.Error(err)
			}
			if ok {
				in.Add(1)
			}
		})
	}
	wg.Wait()
	if n := in.Load(); n != 5 {
		r.Errorf("%d were let in", n)
	}
}

func targetsAreApart(r *room) {
	for _, target := range []string{"a", "{a}", "a}", "}", "{", "ü \n", "a:b"} {
		r.target = target
		r.enter("x", 1, true)
		r.enter("y", 1, false)
	}
}

// asMemory takes the same steps with the store and with one in memory, seeded ones.
func asMemory(t *testing.T, open func(*testing.T) bulkhead.Store) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 0))
		stores := []bulkhead.Store{open(t), bulkhead.NewMemory()}
		now := time.Now().Truncate(time.Second)
		for i := range 300 {
			id, limit, does := strconv.Itoa(r.IntN(6)), r.IntN(4), r.IntN(8)
			until := time.Duration(1+r.IntN(3)) * ttl // far longer than the server's own clock goes on meanwhile
			var answers []string
			for _, s := range stores {
				var ok bool
				var err error
				switch does {
				case 0:
					err = s.Leave(t.Context(), "t", id)
				case 1:
					err = s.Stay(t.Context(), "t", id, now, until)
				default:
					ok, err = s.Enter(t.Context(), "t", id, limit, now, until)
				}
				answers = append(answers, fmt.Sprint(ok, err))
			}
			if answers[0] != answers[1] {
				t.Fatalf("seed %d, step %d: %d of %s at %d: %s, in memory %s", seed, i, does, id, limit, answers[0], answers[1])
			}
			now = now.Add(time.Duration(r.IntN(150)) * time.Millisecond)
			if r.IntN(10) == 0 {
				now = now.Add(ttl)
			}
		}
	}
}
