// Package resultstest is the conformance suite of cells: what any place that keeps results promises.
package resultstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/results"
)

// Harness makes cells for the suite.
type Harness struct {
	// Forever says that cells never expire.
	Forever bool
	// Open opens new and empty cells, and a function that opens the same ones again as another process would.
	Open func(t *testing.T) (results.Cells, func() results.Cells)
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	cases := []struct {
		promise string
		check   func(*testing.T, Harness)
	}{
		{"a cell is written once, and keeps its first value", writtenOnce},
		{"of many writers at once exactly one is the first", oneFirst},
		{"another process reads what one wrote", sharedBetweenProcesses},
		{"an empty cell is not found", emptyNotFound},
		{"a wait ends with the result", waitEnds},
		{"a wait that is over says how things stand", waitOver},
		{"a cancel and a beginning exclude each other", cancelExcludesBegin},
		{"a cell expires when its writer said", cellExpires},
		{"past the retention nothing is kept", pastRetention},
	}
	for _, c := range cases {
		t.Run(c.promise, func(t *testing.T) {
			t.Parallel()
			c.check(t, h)
		})
	}
}

const message = "5f0c7e5e-6f0f-5c0e-9d4b-0d8a3c1e2f3a"

var acceptance = results.Acceptance{Tenant: "t", RequestID: "r", Model: "m", Digest: "d", AcceptedAt: time.Now().UTC().Round(0)}

func ending(n int) results.Ending {
	return results.Ending{EventID: fmt.Sprintf("e-%d", n), Status: events.StatusCompleted, Body: fmt.Appendf(nil, `{"output":"%d <&> é"}`, n)}
}

func writtenOnce(t *testing.T, h Harness) {
	cells, _ := h.Open(t)
	expires := time.Now().Add(time.Hour)
	if existing, err := cells.Create(t.Context(), "a.key", []byte("one"), expires); err != nil || existing != nil {
		t.Fatalf("first create: %q, %v", existing, err)
	}
	if existing, err := cells.Create(t.Context(), "a.key", []byte("two"), expires); err != nil || string(existing) != "one" {
		t.Errorf("second create: %q, %v, want %q", existing, err, "one")
	}
	if got, err := cells.Get(t.Context(), "a.key"); err != nil || string(got) != "one" {
		t.Errorf("get: %q, %v, want %q", got, err, "one")
	}
}

func oneFirst(t *testing.T, h Harness) {
	cells, again := h.Open(t)
	s := []*results.Store{results.New(cells), results.New(again())}
	const writers = 32
	stood := make([]results.Ending, writers)
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			var err error
			if stood[n], err = s[n%2].End(t.Context(), message, ending(n)); err != nil {
				t.Errorf("end: %v", err)
			}
		})
	}
	wg.Wait()
	for _, e := range stood {
		if e.EventID != stood[0].EventID || !bytes.Equal(e.Body, stood[0].Body) {
			t.Errorf("one was told %s and another %s", e.EventID, stood[0].EventID)
		}
	}
}

func sharedBetweenProcesses(t *testing.T, h Harness) {
	cells, again := h.Open(t)
	one, other := results.New(cells), results.New(again())
	if prior, err := one.Accept(t.Context(), message, acceptance); err != nil || prior != nil {
		t.Fatalf("accept: %+v, %v", prior, err)
	}
	if _, err := one.End(t.Context(), message, ending(1)); err != nil {
		t.Fatal(err)
	}
	st, err := other.Look(t.Context(), message)
	if err != nil || st.Accepted != acceptance || st.Ended == nil || !bytes.Equal(st.Ended.Body, ending(1).Body) {
		t.Errorf("look: %+v, %v", st, err)
	}
	if prior, err := other.Accept(t.Context(), message, acceptance); err != nil || prior == nil || *prior != acceptance {
		t.Errorf("accept again: %+v, %v, want what was accepted", prior, err)
	}
}

func emptyNotFound(t *testing.T, h Harness) {
	cells, _ := h.Open(t)
	if _, err := cells.Get(t.Context(), "no.such"); !errors.Is(err, results.ErrNotFound) {
		t.Errorf("get: %v, want %v", err, results.ErrNotFound)
	}
	if _, err := results.New(cells).Look(t.Context(), message); !errors.Is(err, results.ErrNotFound) {
		t.Errorf("look: %v, want %v", err, results.ErrNotFound)
	}
}

func waitEnds(t *testing.T, h Harness) {
	cells, again := h.Open(t)
	store, other := results.New(cells), results.New(again())
	if _, err := store.Accept(t.Context(), message, acceptance); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var early atomic.Bool
	early.Store(true)
	waited := make(chan results.Standing)
	go func() {
		st, err := store.Wait(ctx, message)
		if err != nil || early.Load() {
			t.Errorf("wait: %v, before the end: %v", err, early.Load())
		}
		waited <- st
	}()
	if _, err := other.Begin(t.Context(), message, results.Beginning{At: acceptance.AcceptedAt}); err != nil {
		t.Fatal(err)
	}
	early.Store(false)
	if _, err := other.End(t.Context(), message, ending(1)); err != nil {
		t.Fatal(err)
	}
	if st := <-waited; st.Status() != events.StatusCompleted || !bytes.Equal(st.Ended.Body, ending(1).Body) {
		t.Errorf("waited for %+v, want the result", st)
	}
}

func waitOver(t *testing.T, h Harness) {
	cells, _ := h.Open(t)
	store := results.New(cells)
	if _, err := store.Accept(t.Context(), message, acceptance); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if st, err := store.Wait(ctx, message); err != nil || st.Status() != events.StatusQueued {
		t.Errorf("wait: %s, %v, want queued", st.Status(), err)
	}
}

func cancelExcludesBegin(t *testing.T, h Harness) {
	cells, again := h.Open(t)
	one, other := results.New(cells), results.New(again())
	if _, err := one.Accept(t.Context(), message, acceptance); err != nil {
		t.Fatal(err)
	}
	run := results.Beginning{Run: "run", At: acceptance.AcceptedAt}
	stop := results.Beginning{Canceled: true, At: acceptance.AcceptedAt}
	var begun, canceled results.Beginning
	var wg sync.WaitGroup
	wg.Go(func() { begun, _ = one.Begin(t.Context(), message, run) })
	wg.Go(func() { canceled, _ = other.Begin(t.Context(), message, stop) })
	wg.Wait()
	if begun != canceled {
		t.Errorf("infer was told %+v and cancel %+v", begun, canceled)
	}
	st, err := one.Look(t.Context(), message)
	want := events.StatusRunning
	if begun.Canceled {
		want = events.StatusCanceled
	}
	if err != nil || st.Status() != want {
		t.Errorf("look: %s, %v, want %s", st.Status(), err, want)
	}
}

func cellExpires(t *testing.T, h Harness) {
	if h.Forever {
		return // it promises nothing
	}
	cells, _ := h.Open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := cells.Create(ctx, "a.key", []byte("one"), time.Now().Add(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		existing, err := cells.Create(ctx, "a.key", []byte("two"), time.Now().Add(time.Hour))
		if err != nil {
			t.Fatalf("the cell is still there after a minute: %v", err)
		}
		if existing == nil {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func pastRetention(t *testing.T, h Harness) {
	cells, _ := h.Open(t)
	store := results.New(cells)
	old := ending(1)
	old.Accepted = time.Now().Add(-results.Retention)
	if stood, err := store.End(t.Context(), message, old); err != nil || stood.EventID != old.EventID {
		t.Errorf("end: %+v, %v", stood, err)
	}
	if _, err := store.Ended(t.Context(), message); !errors.Is(err, results.ErrNotFound) {
		t.Errorf("ended: %v, want nothing kept", err)
	}
	if stood, err := store.End(t.Context(), message, ending(2)); err != nil || stood.EventID != ending(2).EventID {
		t.Errorf("a later request under the same id ended as %+v, %v", stood, err)
	}
}
