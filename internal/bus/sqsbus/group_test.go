package sqsbus

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// recordingGroup returns a group whose requests take a second of virtual time, and the batches that it sent.
func recordingGroup() (g *group[int], batches func() [][]int) {
	var mu sync.Mutex
	var sent [][]int
	g = &group[int]{
		size: func(v int) int { return v }, limit: 100,
		send: func(_ context.Context, batch []int) []error {
			mu.Lock()
			sent = append(sent, batch)
			mu.Unlock()
			<-time.After(time.Second)
			answers := make([]error, len(batch))
			for i, v := range batch {
				if v == 13 {
					answers[i] = errors.New("thirteen")
				}
			}
			return answers
		},
	}
	return g, func() [][]int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(sent)
	}
}

func TestNobodyWaitsForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, batches := recordingGroup()
		began := time.Now()
		for range 3 {
			if err := g.do(t.Context(), 1); err != nil {
				t.Error(err)
			}
		}
		if got := len(batches()); got != 3 || time.Since(began) != 3*time.Second {
			t.Errorf("%d batches in %v, want one after the other, at once", got, time.Since(began))
		}
	})
}

func TestThoseThatComeWhileSendersAreBusyGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, batches := recordingGroup()
		for range senders {
			go func() { _ = g.do(t.Context(), 1) }()
			synctest.Wait()
		}
		const others = 24
		answers := make([]error, others)
		for i := range others {
			go func() { answers[i] = g.do(t.Context(), 1) }()
		}
		synctest.Wait()
		if got := len(batches()); got != senders {
			t.Fatalf("%d requests are under way, want %d", got, senders)
		}
		<-time.After(10 * time.Second)
		synctest.Wait()
		var sizes []int
		for _, b := range batches()[senders:] {
			sizes = append(sizes, len(b))
		}
		slices.Sort(sizes)
		if !slices.Equal(sizes, []int{4, 10, 10}) {
			t.Errorf("the others went in batches of %v", sizes)
		}
		if err := errors.Join(answers...); err != nil {
			t.Error(err)
		}
	})
}

func TestABatchStaysWithinItsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, batches := recordingGroup()
		for _, e := range g.join(60, 40, 1, 99, 150, 50, 50, 50) {
			if err := e.wait(t.Context()); err != nil {
				t.Error(err)
			}
		}
		want := [][]int{{60, 40}, {1, 99}, {150}, {50, 50}, {50}}
		if got := batches(); !slices.EqualFunc(got, want, slices.Equal[[]int]) {
			t.Errorf("sent %v, want %v", got, want)
		}
	})
}

func TestEachEntryGetsItsOwnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := recordingGroup()
		entries := g.join(12, 13, 14)
		for i, wantErr := range []bool{false, true, false} {
			if err := entries[i].wait(t.Context()); (err != nil) != wantErr {
				t.Errorf("entry %d: %v", i, err)
			}
		}
	})
}

func TestWhoStopsWaitingDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := recordingGroup()
		ctx, cancel := context.WithCancel(t.Context())
		entries := g.join(1, 2)
		cancel()
		if err := entries[0].wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("waiting says %v", err)
		}
		if err := entries[1].wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
