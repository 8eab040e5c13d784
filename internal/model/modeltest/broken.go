package modeltest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/model"
)

func cutBefore(t *testing.T, k Kind) {
	var w *world
	w = setup(t, k, func(ctx context.Context, s Seen) Script {
		if s.Prompt == "first" {
			return Script{Pieces: []string{"yes"}}
		}
		return Script{Pieces: []string{"late"}, Before: func(n int) {
			if n == 0 {
				w.wire.cut()
				<-ctx.Done()
			}
		}}
	})
	w.fails(w.ask("p"), events.CodeUnreachable, true)
	w.called(1)
	// A connection that was used before is one of which the library may think that it can be tried again.
	if _, err := w.call(w.ask("first")); err != nil {
		t.Fatal(err)
	}
	w.fails(w.ask("p"), events.CodeUnreachable, true)
	w.called(3)
}

func cutInAnswer(t *testing.T, k Kind) {
	const piece = 32 << 10
	w := setup(t, k, says(strings.Repeat("x", piece)))
	w.wire.cutAfter(piece / 2)
	w.fails(w.ask("p"), events.CodeUnreachable, true)
	w.called(1)
}

func cutInStream(t *testing.T, k Kind) {
	var w *world
	arrived := make(chan struct{}, 1)
	w = setup(t, k, func(ctx context.Context, _ Seen) Script {
		return Script{Pieces: []string{"one ", "two"}, Before: func(n int) {
			switch {
			case n != 1:
			case k.Pieces:
				select {
				case <-arrived:
				case <-ctx.Done():
				}
				fallthrough
			default:
				w.wire.cut()
				<-ctx.Done()
			}
		}}
	})
	var deltas []model.Delta
	call := w.ask("p")
	call.Delta = func(d model.Delta) {
		if deltas = append(deltas, d); d.Text != "" {
			arrived <- struct{}{}
		}
	}
	w.fails(call, events.CodeUnreachable, true)
	if k.Pieces && text(deltas) != "one " {
		t.Errorf("the deltas say %q", text(deltas))
	}
	if slices.ContainsFunc(deltas, func(d model.Delta) bool { return strings.Contains(string(d.Choices), `"stop"`) }) {
		t.Error("a stream that was cut says that it ended")
	}
	w.called(1)
}

func refusedCostsNothing(t *testing.T, k Kind) {
	w := setup(t, k, says("yes"))
	w.wire.down()
	for range 3 {
		w.fails(w.ask("p"), events.CodeUnreachable, false)
	}
	w.called(0)
}

func comesBack(t *testing.T, k Kind) {
	w := setup(t, k, says("yes"))
	for range 3 {
		if a, err := w.call(w.ask("p")); err != nil || a.Output != "yes" {
			t.Fatalf("%q, %v", a.Output, err)
		}
		w.wire.down()
		// Whether the client has heard of the end of its connection before it uses it is for the system's scheduler to say.
		for range 2 {
			if _, err := w.call(w.ask("p")); err == nil {
				t.Fatal("a server that is gone answers")
			}
		}
		w.wire.up(t)
	}
	w.called(3)
}
