package answerstest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/internal/answers"
)

func widen(t *testing.T, s answers.Store, key, holder string, width int) {
	t.Helper()
	if err := s.Widen(t.Context(), key, holder, width, time.Now(), long); err != nil {
		t.Errorf("widen of %s: %v", holder, err)
	}
}

func leadsEndApart(t *testing.T, p Place) {
	s := p.Open()
	lead(t, s, key, "m0", "m0")
	widen(t, s, key, "m0", 2)
	lead(t, s, key, "m1", "m1")
	now := time.Now()
	for _, holder := range []string{"m2", "m3"} { // m3 is told of the one whose lead ends first
		if got, err := s.Lead(t.Context(), key, holder, now, brief); err != nil || got != "m2" {
			t.Errorf("lead of %s: %q, %v, want %q", holder, got, err, "m2")
		}
	}
	p.pass(2 * brief)
	now = now.Add(2 * brief)
	for holder, want := range map[string]string{"m1": "m1", "m3": "m3"} {
		if got, err := p.Open().Lead(t.Context(), key, holder, now, long); err != nil || got != want {
			t.Errorf("lead of %s: %q, %v, want %q", holder, got, err, want)
		}
	}
}

func widens(t *testing.T, p Place) {
	lead(t, p.Open(), key, "m1", "m1")
	widen(t, p.Open(), key, "m1", 2)
	lead(t, p.Open(), key, "m2", "m2")
	lead(t, p.Open(), key, "m3", "m3")
	lead(t, p.Open(), key, "m2", "m2")
	if got, err := p.Open().Lead(t.Context(), key, "m1", time.Now(), long); err != nil || got != "m2" && got != "m3" {
		t.Errorf("a third: %q, %v", got, err)
	}
	land(t, p.Open(), key, "m2")
	lead(t, p.Open(), key, "m1", "m1")
	land(t, p.Open(), key, "m1")
	land(t, p.Open(), key, "m3")
	put(t, p.Open(), key, "v")
	lead(t, p.Open(), key, "m4", "")
}

func widthExpires(t *testing.T, p Place) {
	s, now := p.Open(), time.Now()
	lead(t, s, key, "m1", "m1")
	if err := s.Widen(t.Context(), key, "m1", 8, now, time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		holder string
		at     time.Duration
		want   string
	}{
		{"m2", 0, "m2"}, {"m3", time.Minute - time.Millisecond, "m3"}, {"m2", time.Minute, "m2"}, {"m4", time.Minute, "m3"},
	} {
		if got, err := s.Lead(t.Context(), key, c.holder, now.Add(c.at), long); err != nil || got != c.want {
			t.Errorf("lead of %s after %v: %q, %v, want %q", c.holder, c.at, got, err, c.want)
		}
	}
}

func widestStands(t *testing.T, p Place) {
	s := p.Open()
	lead(t, s, key, "m1", "m1")
	widen(t, s, key, "m1", 3)
	lead(t, s, key, "m1", "m1")
	widen(t, s, key, "m1", 2)
	for _, holder := range []string{"m1", "m2", "m3"} {
		lead(t, s, key, holder, holder)
	}
	widen(t, s, key, "m1", answers.Everyone)
	widen(t, s, key, "m2", 3)
	for n := range 5 {
		holder := fmt.Sprintf("of everyone %d", n)
		lead(t, s, key, holder, holder)
	}
}

func wideningOfAnother(t *testing.T, p Place) {
	s := p.Open()
	widen(t, s, key, "m0", 8)
	lead(t, s, key, "m1", "m1")
	widen(t, s, key, "m0", 8)
	lead(t, s, key, "m2", "m1")
	if err := s.Widen(t.Context(), key, "m1", 8, time.Now().Add(2*long), long); err != nil { // its lead is over
		t.Fatal(err)
	}
	lead(t, s, key, "m3", "m3")
	lead(t, s, key, "m4", "m3")
}

func everyoneLeads(t *testing.T, p Place) {
	s, now := p.Open(), time.Now()
	lead(t, s, key, "m1", "m1")
	if err := s.Widen(t.Context(), key, "who does not lead", answers.Everyone, now, time.Minute); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		holder := fmt.Sprintf("of everyone %d", n)
		if got, err := p.Open().Lead(t.Context(), key, holder, now, long); err != nil || got != holder {
			t.Errorf("lead of %s: %q, %v", holder, got, err)
		}
	}
	land(t, s, key, "m1")
	if got, err := s.Lead(t.Context(), key, "m2", now.Add(time.Minute), long); err != nil || got != "m2" {
		t.Errorf("lead when that is over: %q, %v, want %q", got, err, "m2")
	}
}

func asManyAsWide(t *testing.T, p Place) {
	stores := []answers.Store{p.Open(), p.Open(), p.Open(), p.Open()}
	lead(t, stores[0], key, "m", "m")
	widen(t, stores[0], key, "m", 8)
	var leaders atomic.Int64
	var wg sync.WaitGroup
	for n := range 64 {
		wg.Go(func() {
			holder := fmt.Sprintf("m%d", n)
			switch leader, err := stores[n%len(stores)].Lead(t.Context(), key, holder, time.Now(), long); {
			case err != nil:
				t.Errorf("lead: %v", err)
			case leader == holder:
				leaders.Add(1)
			}
		})
	}
	wg.Wait()
	if leaders.Load() != 8 {
		t.Errorf("%d lead, want 8", leaders.Load())
	}
}
