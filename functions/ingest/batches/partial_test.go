package batches_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/functions/ingest/batches"
	"baton.dev/baton/internal/model"
)

// TestAChunkThatWasHandedInInPartIsToldOfWhole has more lines of a chunk than the tenant's rate takes before the batch ends: what
// ran is among the answers, and what did not is told of too.
func TestAChunkThatWasHandedInInPartIsToldOfWhole(t *testing.T) {
	t.Parallel()
	key := []string{"Authorization", "Bearer " + pacedKey}
	for reason, end := range map[string]func(w *world, id string){
		"batch_cancelled": func(w *world, id string) {
			if s := w.cancel(id, key...); s != http.StatusOK {
				w.t.Fatal(s)
			}
		},
		"batch_expired": func(w *world, _ string) {
			w.halt()
			sleep(24 * time.Hour)
			w.run()
		},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				const n = 850 // more than a batch has under way
				b := w.create(requests(n), key...)
				w.work(time.Hour, func() bool {
					calls, _ := w.calls()
					return calls >= 120 && w.retrieve(b.ID, key...).Status == batches.InProgress
				})
				end(w, b.ID)
				b = w.finish(b.ID, time.Minute, key...)
				calls, _ := w.calls()
				if b.Counts != (batches.Counts{Total: n, Completed: calls, Failed: n - calls}) || calls >= 200 {
					t.Errorf("%d calls, and it came to %+v", calls, b)
				}
				if answers, errs := len(w.lines(b.OutputFileID, key...)), w.reasons(b, key...); answers != calls || errs[reason] != n-calls {
					t.Errorf("%d calls, %d answers, %v", calls, answers, errs)
				}
				if want := map[string]batches.Status{"batch_cancelled": batches.Cancelled, "batch_expired": batches.Expired}[reason]; b.Status != want {
					t.Errorf("it is %s", b.Status)
				}
			})
		})
	}
}

func TestLinesCountAgainstTheirTenantsRate(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		key := []string{"Authorization", "Bearer " + pacedKey}
		const n = 450
		began := time.Now()
		b := w.create(requests(n), key...)
		b = w.finish(b.ID, time.Hour, key...)
		if calls, prompts := w.calls(); b.Status != batches.Completed || b.Counts.Completed != n || calls != n || prompts != n {
			t.Errorf("it came to %+v by %d calls", b, calls)
		}
		// A hundred at once, and one a second from then on, which waits of ten seconds at most make little longer.
		if took := time.Since(began); took < (n-110)*time.Second || took > (n+60)*time.Second {
			t.Errorf("it took %v", took)
		}
		if offered := w.store.cells.offered.Load(); offered != n {
			t.Errorf("%d lines were handed in %d times", n, offered)
		}
	})
}

func TestAChunkThatIsStoppedGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		let := make(chan struct{})
		w.answers(func(ctx context.Context, prompt string) (model.Answer, error) {
			<-let
			return said(ctx, prompt)
		})
		key := []string{"Authorization", "Bearer " + narrowKey}
		const n = 150
		b := w.create(requests(n), key...)
		w.work(time.Hour, func() bool { return w.steps >= 60 })
		gets := w.store.cells.gets.Load()
		w.work(time.Hour, func() bool { return w.steps >= 100 })
		if more := w.store.cells.gets.Load() - gets; more > 40*10 {
			t.Errorf("40 steps in which nothing can be handed in read %d cells", more)
		}
		close(let)
		b = w.finish(b.ID, time.Hour, key...)
		if offered := w.store.cells.offered.Load(); b.Counts.Completed != n || offered != n {
			t.Errorf("it came to %+v; %d lines were handed in %d times", b, n, offered)
		}
	})
}

func TestRefusedLinesDoNotCountTwiceAgainstTheRate(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		key := []string{"Authorization", "Bearer " + pacedKey}
		const n = 190
		b := w.create(strings.ReplaceAll(requests(n), `"model":"m"`, `"model":"nobody"`), key...)
		if b = w.finish(b.ID, 3*time.Minute, key...); b.Status != batches.Completed || b.Counts.Failed != n {
			t.Errorf("it came to %+v", b)
		}
	})
}

func TestAStepEndsInTimeThoughTheStoresAreSlow(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		const n = 250
		b := w.create(requests(n))
		w.store.cells.slow.Store(true)
		for !over(w.retrieve(b.ID)) {
			for _, e := range w.take() {
				began := time.Now()
				w.handle(e)
				if took := time.Since(began); took > 20*time.Second {
					t.Fatalf("a step took %v", took)
				}
			}
		}
		w.checkWhole(w.retrieve(b.ID), n)
	})
}
