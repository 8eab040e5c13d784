package batches_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/functions/ingest/batches"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/objects"
)

// spoil writes something else in the place of an object.
func (w *world) spoil(key, content string) {
	w.t.Helper()
	if _, err := w.store.Memory.Put(w.t.Context(), objects.Info{Key: key, Expires: time.Now().Add(time.Hour)}, strings.NewReader(content)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) list() (all []batches.Batch) {
	w.t.Helper()
	var list struct{ Data []batches.Batch }
	if status, answer := w.call(http.MethodGet, "/v1/batches?limit=100", "", &list); status != http.StatusOK {
		w.t.Fatalf("%d %s", status, answer)
	}
	return list.Data
}

func TestABatchThatCannotBeReadDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"no record": "{", "a record that is too long": strings.Repeat(" ", 300<<10) + "{}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				bad := w.create(requests(1))
				events := w.take()
				good := w.create(requests(1))
				w.spoil("batches/search/"+bad.ID+"/batch", content)
				if all := w.list(); len(all) != 1 || all[0].ID != good.ID {
					t.Errorf("listed %+v", all)
				}
				if status, answer := w.call(http.MethodGet, "/v1/batches/"+bad.ID, "", nil); status != http.StatusInternalServerError {
					t.Errorf("%d %s", status, answer)
				}
				if _, err := w.step(t.Context(), events[0]); err == nil || (hop.Limits{}).Classify(events[0], err).Kind != hop.Dead {
					t.Errorf("its step ends in %v", err)
				}
				if b := w.finish(good.ID, time.Hour); b.Status != batches.Completed {
					t.Errorf("the other came to %+v", b)
				}
			})
		})
	}
}

func TestABatchOfWhichAPartIsSpoiledFails(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"no lines": "{\n", "too much": strings.Repeat("\n", 13<<20)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				b := w.create(requests(300))
				w.work(time.Hour, func() bool { return w.retrieve(b.ID).Status == batches.InProgress })
				w.spoil("batches/search/"+b.ID+"/in/1", content)
				if b = w.finish(b.ID, time.Hour); b.Status != batches.Failed || b.Errors.Data[0].Code != "data_missing" || w.kept(b) != 0 {
					t.Errorf("it came to %+v", b)
				}
			})
		})
	}
}

func TestALineThatThisSideBreaksAtIsToldSo(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		b := w.create(requests(250))
		w.work(time.Hour, func() bool { return w.retrieve(b.ID).Status == batches.InProgress })
		w.store.cells.poison.Store(true)
		b = w.finish(b.ID, time.Hour)
		if b.Status != batches.Completed || b.Counts != (batches.Counts{Total: 250, Completed: 249, Failed: 1}) {
			t.Fatalf("it came to %+v", b)
		}
		if l := w.lines(b.ErrorFileID)[0]; l.CustomID != "line-0" || l.Response.StatusCode != http.StatusInternalServerError {
			t.Errorf("the line is told as %+v", l)
		}
		if offered := w.store.cells.offered.Load(); offered != 249+5+1 {
			t.Errorf("lines were handed in %d times", offered)
		}
	})
}

func TestABatchThatIsNotBegunIsNotThere(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		file := w.upload(requests(1))
		w.bus.away.Store(true)
		body := `{"input_file_id":"` + file + `","endpoint":"/v1/chat/completions","completion_window":"24h"}`
		if status, answer := w.call(http.MethodPost, "/v1/batches", body, nil); status != http.StatusServiceUnavailable {
			t.Errorf("%d %s", status, answer)
		}
		w.bus.away.Store(false)
		if left, err := w.store.List(t.Context(), "batches/"); err != nil || len(left) != 0 || len(w.list()) != 0 {
			t.Errorf("%d objects are left, %v", len(left), err)
		}
	})
}

func TestABatchThatNobodyWorksOffIsToldToHaveExpired(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		b := w.create(requests(1))
		w.take() // and it is lost
		w.halt()
		sleep(25*time.Hour - time.Second)
		if got := w.retrieve(b.ID); got.Status != batches.Validating {
			t.Errorf("it is %s before its time", got.Status)
		}
		sleep(time.Second)
		for _, got := range append(w.list(), w.retrieve(b.ID)) {
			if got.ID != b.ID || got.Status != batches.Expired || got.ExpiredAt == nil || *got.ExpiredAt != b.ExpiresAt+3600 {
				t.Errorf("it is %+v", got)
			}
		}
		if s := w.cancel(b.ID); s != http.StatusConflict {
			t.Errorf("canceled: %d", s)
		}
	})
}

func TestATenantHasSoManyBatchesUnderWay(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		file := w.upload(requests(1))
		body := `{"input_file_id":"` + file + `","endpoint":"/v1/chat/completions","completion_window":"24h"}`
		var ids []string
		more := func(want int) {
			t.Helper()
			var b batches.Batch
			if status, answer := w.call(http.MethodPost, "/v1/batches", body, &b); status != want {
				t.Fatalf("%d batches, and one more: %d %s", len(ids), status, answer)
			}
			ids = append(ids, b.ID)
		}
		for range 100 {
			more(http.StatusOK)
		}
		more(http.StatusTooManyRequests)
		if b := w.create(requests(1), "Authorization", "Bearer "+otherKey); b.ID == "" {
			t.Error("another tenant is bounded by this one")
		}
		// One is worked off, and the steps of the others are lost.
		for !over(w.retrieve(ids[7])) {
			for _, e := range w.take() {
				if e.Subject == ids[7] {
					w.handle(e)
				}
			}
		}
		more(http.StatusOK)
		more(http.StatusTooManyRequests)
		if status, answer := w.call(http.MethodGet, "/v1/batches/open", "", nil); status != http.StatusNotFound {
			t.Errorf("%d %s", status, answer)
		}
		w.halt()
		sleep(25 * time.Hour)
		more(http.StatusOK)
	})
}

// TestWhatIsReplacedWhileItIsReadIsReadAgain reads as a store does where an object is replaced between its description and its
// content.
func TestWhatIsReplacedWhileItIsReadIsReadAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		reads := map[string]int{}
		w.store.altered = func(key string) bool {
			reads[key]++
			return strings.HasSuffix(key, "/batch") && reads[key]%4 != 0 || strings.HasSuffix(key, "/in/1") && reads[key] < 7 ||
				strings.HasSuffix(key, "/out/1") && reads[key] < 3
		}
		b := w.create(requests(450))
		w.checkWhole(w.finish(b.ID, time.Hour), 450)
		if all := w.list(); len(all) != 1 {
			t.Errorf("listed %+v", all)
		}
	})
}
