package main

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/hop"
)

// redriverOf returns a redriver of all, and what it prints.
func redriverOf(bus deadLetters) (r *redriver, out, stderr *output) {
	c, out, stderr := quiet()
	return &redriver{bus: bus, c: c, takes: func(events.Event) bool { return true }, now: func() time.Time { return diedAt(60) }}, out, stderr
}

func TestRedrivenWorkKeepsItsIDAndIsTriedFromTheStart(t *testing.T) {
	t.Parallel()
	bus := buried(t, 1)
	id := left(t, bus)[0].ID
	r, out, _ := redriverOf(bus)
	if err := r.run(t.Context(), nil); err != nil || out.String() != "redriven "+id+"\n1 dead letter redriven.\n" {
		t.Errorf("%v: %s", err, out)
	}
	if got := waiting(t, bus); len(got) != 1 || got[0].ID != id || got[0].Tries != 0 || got[0].Dead != nil {
		t.Errorf("redriven as %+v", got)
	}
	if n := len(left(t, bus)); n != 0 {
		t.Errorf("%d dead letters are left", n)
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	bus := buried(t, 3)
	r, out, _ := redriverOf(bus)
	r.dryRun, r.pause = true, time.Hour
	if err := r.run(t.Context(), nil); err != nil || strings.Count(out.String(), "would redrive ") != 3 ||
		!strings.HasSuffix(out.String(), "3 dead letters would be redriven.\n") {
		t.Errorf("%v: %s", err, out)
	}
	if n := len(left(t, bus)); n != 3 {
		t.Errorf("%d dead letters are left", n)
	}
}

// faulty is a transport of which a step fails, as often as is said.
type faulty struct {
	*membus.Bus

	publishes, removals int
	removed             func()
}

var errAway = errors.New("the transport is away")

func (f *faulty) Publish(ctx context.Context, out ...events.Event) error {
	f.publishes--
	if f.publishes >= 0 {
		return errAway
	}
	return f.Bus.Publish(ctx, out...)
}

func (f *faulty) RemoveDeadLetter(ctx context.Context, key string) error {
	f.removals--
	if f.removals >= 0 {
		return errAway
	}
	defer f.removed()
	return f.Bus.RemoveDeadLetter(ctx, key)
}

func TestACrashBetweenStoringAndRemovingDoesNotDoubleWork(t *testing.T) {
	t.Parallel()
	bus := buried(t, 2)
	crash := &faulty{Bus: bus, removals: 1, removed: func() {}}
	r, out, stderr := redriverOf(crash)
	if err := r.run(t.Context(), nil); !errors.Is(err, errSaid) || !strings.Contains(out.String(), "1 dead letter redriven, 1 not.") ||
		!strings.Contains(stderr.String(), "the transport is away") {
		t.Errorf("%v: %s%s", err, out, stderr)
	}
	if n := len(left(t, bus)); n != 1 {
		t.Fatalf("%d dead letters are left, want the one that was not removed", n)
	}
	r, _, _ = redriverOf(bus)
	if err := r.run(t.Context(), nil); err != nil || len(left(t, bus)) != 0 {
		t.Errorf("again: %v", err)
	}
	got := waiting(t, bus)
	if len(got) != 2 || got[0].ID == got[1].ID {
		t.Errorf("%d events wait, want each of the two once: %+v", len(got), got)
	}
}

func TestWhatCannotBePutBackStaysAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	bus := buried(t, 3)
	r, out, _ := redriverOf(&faulty{Bus: bus, publishes: 1, removed: func() {}})
	r.json = true
	if err := r.run(t.Context(), []string{"nobody"}); !errors.Is(err, errSaid) || len(left(t, bus)) != 1 || r.done != 2 || r.failed != 2 {
		t.Errorf("%v, %d done, %d failed, %d left", err, r.done, r.failed, len(left(t, bus)))
	}
	var got []bool
	for line := range strings.Lines(out.String()) {
		var one struct {
			ID       string
			Redriven bool
			Error    string
		}
		if err := json.Unmarshal([]byte(line), &one); err != nil || one.ID == "" || one.Redriven != (one.Error == "") {
			t.Errorf("%v: %s", err, line)
		}
		got = append(got, one.Redriven)
	}
	if !slices.Equal(got, []bool{false, true, true}) {
		t.Errorf("redriven %v:\n%s", got, out)
	}
}

func TestAnInterruptStopsBetweenTwo(t *testing.T) {
	t.Parallel()
	bus := buried(t, 4)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	n := 0
	r, out, stderr := redriverOf(&faulty{Bus: bus, removed: func() {
		n++
		if n == 2 {
			interrupt()
		}
	}})
	r.pause = time.Millisecond
	if err := r.run(ctx, nil); !errors.Is(err, errSaid) || !strings.Contains(out.String(), "2 dead letters redriven.") ||
		!strings.Contains(stderr.String(), "stopped") {
		t.Errorf("%v: %s%s", err, out, stderr)
	}
	if n := len(left(t, bus)); n != 2 {
		t.Errorf("%d dead letters are left, want 2", n)
	}
}

func TestAnInterruptEndsThePause(t *testing.T) {
	t.Parallel()
	bus := buried(t, 2)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	r, _, stderr := redriverOf(bus)
	r.pause = time.Hour
	r.takes = func(events.Event) bool {
		if r.done == 1 {
			interrupt()
		}
		return true
	}
	if err := r.run(ctx, nil); !errors.Is(err, errSaid) || !strings.Contains(stderr.String(), "stopped") || len(left(t, bus)) != 1 {
		t.Errorf("%v: %s", err, stderr)
	}
}

// live lists what comes while it lists, as a transport may.
type live struct{ *faulty }

func (l live) DeadLetters(ctx context.Context) iter.Seq2[hop.DeadLetter, error] {
	return func(yield func(hop.DeadLetter, error) bool) {
		for range 3 {
			for d, err := range l.Bus.DeadLetters(ctx) {
				if !yield(d, err) {
					return
				}
			}
		}
	}
}

func TestOneThatDiesAgainIsLeftForTheNextTime(t *testing.T) {
	t.Parallel()
	for name, died := range map[string]time.Time{"by a clock that is behind": diedAt(1), "by one that is ahead": diedAt(61)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := buried(t, 2)
			again := live{&faulty{Bus: bus, removed: func() {
				for _, e := range waiting(t, bus) {
					dead := events.DeadLetter{Hop: events.Schedule, Reason: events.ReasonExhausted, Time: died}
					if err := bus.Publish(t.Context(), e.AsDead(dead)); err != nil {
						t.Error(err)
					}
				}
			}}}
			r, _, _ := redriverOf(again)
			if err := r.run(t.Context(), nil); err != nil || r.done != 2 {
				t.Errorf("%v, %d redriven, want each of the two once", err, r.done)
			}
		})
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"50/s": 20 * time.Millisecond, "30/m": 2 * time.Second, "1/h": time.Hour, "unlimited": 0} {
		if got, err := parseRate(text); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "50", "0/s", "-1/s", "1.5/s", "1/d"} {
		if _, err := parseRate(text); err == nil {
			t.Errorf("%q is taken for a rate", text)
		}
	}
}
