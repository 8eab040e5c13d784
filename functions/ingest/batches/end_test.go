package batches_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"baton.dev/baton/functions/ingest/batches"
	"baton.dev/baton/internal/model"
)

func (w *world) cancel(id string, header ...string) int {
	w.t.Helper()
	var b batches.Batch
	status, answer := w.call(http.MethodPost, "/v1/batches/"+id+"/cancel", "", &b, header...)
	if status == http.StatusOK && (b.Status != batches.Cancelling || b.CancellingAt == nil) {
		w.t.Errorf("cancel says %s", answer)
	}
	return status
}

// reasons counts what the lines of an error file say.
func (w *world) reasons(b batches.Batch, header ...string) map[string]int {
	w.t.Helper()
	all := map[string]int{}
	for _, l := range w.lines(b.ErrorFileID, header...) {
		if l.Error != nil {
			all[l.Error.Code]++
		} else {
			all[l.Response.Body.Error.Code]++
		}
	}
	return all
}

func TestABatchThatIsCanceledBeforeItsFirstStepDoesNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		b := w.create(requests(10))
		if s := w.cancel(b.ID); s != http.StatusOK {
			t.Fatal(s)
		}
		if got := w.retrieve(b.ID); got.Status != batches.Cancelling {
			t.Errorf("it is %s", got.Status)
		}
		if s := w.cancel(b.ID); s != http.StatusOK { // again
			t.Error(s)
		}
		b = w.finish(b.ID, time.Hour)
		if calls, _ := w.calls(); b.Status != batches.Cancelled || b.CancelledAt == nil || b.CancellingAt == nil || calls != 0 || w.kept(b) != 0 {
			t.Errorf("it came to %+v, %d calls, %d left", b, calls, w.kept(b))
		}
	})
}

func TestABatchThatIsCanceledHalfwayTellsOfEveryLine(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		let := make(chan struct{})
		w.answers(func(ctx context.Context, prompt string) (model.Answer, error) {
			<-let
			return said(ctx, prompt)
		})
		const n = 1900
		b := w.create(requests(n))
		w.work(time.Hour, func() bool {
			calls, _ := w.calls()
			return calls >= 500 // as many as the target takes at once
		})
		if s := w.cancel(b.ID); s != http.StatusOK {
			t.Fatal(s)
		}
		before := w.steps
		w.work(time.Hour, func() bool { return w.steps > before })
		close(let)
		b = w.finish(b.ID, time.Hour)
		calls, _ := w.calls()
		reasons := w.reasons(b)
		if b.Status != batches.Cancelled || b.Counts.Total != n || b.Counts.Completed != calls || b.Counts.Failed != n-calls ||
			reasons["batch_cancelled"] != n-calls || len(w.lines(b.OutputFileID)) != calls {
			t.Errorf("%d calls, and it came to %+v: %v", calls, b, reasons)
		}
		if calls >= n || w.kept(b) != 0 {
			t.Errorf("%d calls, %d objects left", calls, w.kept(b))
		}
		if s := w.cancel(b.ID); s != http.StatusConflict {
			t.Errorf("canceled afterwards: %d", s)
		}
	})
}

func TestABatchThatIsOverCannotBeCanceled(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		b := w.finish(w.create(requests(1)).ID, time.Hour)
		if s := w.cancel(b.ID); s != http.StatusConflict {
			t.Error(s)
		}
		if got := w.retrieve(b.ID); got.Status != batches.Completed {
			t.Errorf("it is %s", got.Status)
		}
	})
}

func TestWhenTheWindowIsOverEveryLineIsToldOf(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		const n = 2500
		b := w.create(requests(n))
		w.work(time.Hour, func() bool { return w.retrieve(b.ID).Counts.Completed > 0 })
		w.halt()
		handed := w.steps + 20
		w.work(time.Hour, func() bool { return w.steps > handed })
		calls, _ := w.calls()
		sleep(24 * time.Hour)
		w.run()
		b = w.finish(b.ID, time.Hour)
		reasons := w.reasons(b)
		if b.Status != batches.Expired || b.ExpiredAt == nil || b.CompletedAt != nil || b.Counts != (batches.Counts{Total: n, Completed: calls, Failed: n - calls}) ||
			len(w.lines(b.OutputFileID)) != calls || reasons["batch_expired"] != n-calls || w.kept(b) != 0 {
			t.Errorf("%d calls, and it came to %+v: %v", calls, b, reasons)
		}
		if accepted := w.store.cells.accepted.Load(); accepted <= int64(calls) || accepted >= n {
			t.Errorf("%d were handed in, want some that were not called in time, and not all", accepted)
		}
		t.Logf("%d calls, %v after the window", calls, time.Unix(*b.ExpiredAt, 0).Sub(time.Unix(b.ExpiresAt, 0)))
	})
}

func TestALineWhoseRequestIsLostDoesNotHoldUpTheBatchForEver(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		b := w.create(requests(3))
		w.work(time.Hour, func() bool { return w.retrieve(b.ID).Status == batches.InProgress })
		w.bus.lose.Store(true)
		w.work(time.Hour, func() bool { return w.steps >= 3 })
		w.bus.lose.Store(false)
		w.halt()
		sleep(24 * time.Hour)
		w.run()
		b = w.finish(b.ID, time.Hour)
		if reasons := w.reasons(b); b.Status != batches.Expired || reasons["batch_expired"] != 3 {
			t.Errorf("it came to %+v: %v", b, reasons)
		}
		if late := time.Unix(*b.ExpiredAt, 0).Sub(time.Unix(b.ExpiresAt, 0)); late < 10*time.Minute || late > 15*time.Minute {
			t.Errorf("it ended %v after its window", late)
		}
	})
}

func TestABatchOfWhichAPartIsLostFails(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		b := w.create(requests(300))
		w.work(time.Hour, func() bool { return w.retrieve(b.ID).Status == batches.InProgress })
		if err := w.store.Delete(t.Context(), "batches/search/"+b.ID+"/in/1"); err != nil {
			t.Fatal(err)
		}
		if b = w.finish(b.ID, time.Hour); b.Status != batches.Failed || b.Errors.Data[0].Code != "data_missing" {
			t.Errorf("it came to %+v", b)
		}
	})
}

func TestABatchIsKeptForAWeek(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		b := w.finish(w.create(requests(1)).ID, time.Hour)
		w.halt()
		sleep(7*24*time.Hour - time.Hour)
		if len(w.lines(b.OutputFileID)) != 1 {
			t.Error("the answers are gone")
		}
		sleep(26 * time.Hour)
		if status, _ := w.call(http.MethodGet, "/v1/batches/"+b.ID, "", nil); status != http.StatusNotFound {
			t.Errorf("it is there still: %d", status)
		}
		all, err := w.store.List(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range all {
			if !info.Expired(time.Now()) {
				t.Errorf("%s is left", info.Key)
			}
		}
	})
}
