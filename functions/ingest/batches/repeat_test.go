package batches_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest/batches"
	"baton.dev/baton/internal/hop"
)

// checkWhole checks that the batch came to n answers, one of each line, by one call of the model each.
func (w *world) checkWhole(b batches.Batch, n int) {
	w.t.Helper()
	if b.Status != batches.Completed || b.Counts != (batches.Counts{Total: n, Completed: n}) {
		w.t.Errorf("it came to %+v", b)
	}
	for i, l := range w.lines(b.OutputFileID) {
		if l.CustomID != fmt.Sprint("line-", i) {
			w.t.Fatalf("line %d is of %s", i, l.CustomID)
		}
	}
	if got := len(w.lines(b.OutputFileID)); got != n {
		w.t.Errorf("%d answers, want %d", got, n)
	}
	if calls, prompts := w.calls(); calls != n || prompts != n {
		w.t.Errorf("%d calls with %d prompts, want %d", calls, prompts, n)
	}
	if left := w.kept(b); left != 0 {
		w.t.Errorf("%d objects are left", left)
	}
}

func TestAStepThatIsHandedOutAgainMakesNothingTwice(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(w *world, e events.Event, before []events.Event){
		"at once":                       func(w *world, e events.Event, _ []events.Event) { w.handle(e) },
		"with all before it":            func(w *world, _ events.Event, before []events.Event) { each(w, before) },
		"with all before it, backwards": func(w *world, _ events.Event, before []events.Event) { slices.Reverse(before); each(w, before) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				const n = 450
				b := w.create(requests(n))
				var before []events.Event
				for !over(w.retrieve(b.ID)) {
					for _, e := range w.take() {
						w.handle(e)
						before = append(before, e)
						again(w, e, slices.Clone(before))
					}
					if len(before) > 60 {
						t.Fatal("it does not end")
					}
				}
				each(w, before)
				w.checkWhole(w.retrieve(b.ID), n)
				if len(w.take()) != 0 {
					t.Error("it goes on")
				}
			})
		})
	}
}

func each(w *world, all []events.Event) {
	for _, e := range all {
		w.handle(e)
	}
}

// TestAStepThatIsCutIsMadeAgain cuts a batch's steps at every write that they make, one after another: the write is done and
// nothing after it, neither what the step writes next nor the event that it emits.
func TestAStepThatIsCutIsMadeAgain(t *testing.T) {
	t.Parallel()
	const n = 450
	cuts := 0
	for cut := int64(1); ; cut++ {
		was := false
		inWorld(t, func(t *testing.T, w *world) {
			b := w.create(requests(n))
			w.store.puts.Store(cut)
			for !over(w.retrieve(b.ID)) {
				for _, e := range w.take() {
					out, err := w.step(t.Context(), e)
					if w.store.away.Load() {
						was = true
						w.store.away.Store(false)
						if err != nil && (hop.Limits{}).Classify(e, err).Kind == hop.Dead {
							t.Errorf("a store that is away is %v", err)
						}
						out, err = w.step(t.Context(), e) // what the cut step emitted is lost
					}
					if err != nil {
						t.Fatal(err)
					}
					if err := w.bus.Publish(t.Context(), out...); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
			}
			w.checkWhole(w.retrieve(b.ID), n)
		})
		if !was || t.Failed() {
			break
		}
		cuts++
	}
	t.Logf("cut at %d writes", cuts)
	if cuts < 15 {
		t.Errorf("%d writes", cuts)
	}
}

// TestAStepThatIsMadeByTwoAtOnceDoesNotSetTheBatchBack has a step read the batch, others go on to its end, and the step write.
func TestAStepThatIsMadeByTwoAtOnceDoesNotSetTheBatchBack(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		const n = 450
		b := w.create(requests(n))
		first := w.take()[0]
		w.handle(first)
		second := w.take()[0]
		went := false
		w.store.before = func(key string) {
			if went || key != "batches/search/"+b.ID+"/in/0" {
				return
			}
			went = true // it has read the record, and reads the chunk
			w.handle(second)
			w.finish(b.ID, time.Hour)
		}
		out, err := w.step(t.Context(), second)
		if !went || err != nil && !errors.Is(err, errAway) {
			t.Fatalf("%t, %v", went, err)
		}
		if err := w.bus.Publish(t.Context(), out...); err != nil {
			t.Fatal(err)
		}
		w.finish(b.ID, time.Hour)
		if got := w.retrieve(b.ID); got.Status != batches.Completed || got.Counts.Completed != n {
			t.Errorf("it came to %+v", got)
		}
		if calls, _ := w.calls(); calls != n {
			t.Errorf("%d calls", calls)
		}
		if status, _ := w.call(http.MethodGet, "/v1/batches/"+b.ID, "", nil); status != http.StatusOK {
			t.Error(status)
		}
	})
}
