package batches_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest/batches"
	"baton.dev/baton/internal/model"
)

func TestEveryLineIsAnsweredOnceInOrder(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		const n = 1050 // some chunks, and a part of one
		b := w.create("\n" + requests(n) + "\r\n\n")
		b = w.finish(b.ID, time.Hour)
		if b.Status != batches.Completed || b.Counts != (batches.Counts{Total: n, Completed: n}) || b.ErrorFileID != nil || b.CompletedAt == nil ||
			b.InProgressAt == nil || b.FinalizingAt == nil || b.Errors != nil {
			t.Fatalf("it came to %+v", b)
		}
		seen := map[string]bool{}
		for i, l := range w.lines(b.OutputFileID) {
			if l.CustomID != fmt.Sprint("line-", i) || l.Error != nil || l.Response.StatusCode != http.StatusOK || l.Response.RequestID == "" ||
				l.Response.Body.Choices[0].Message.Content != fmt.Sprint("said prompt ", i) {
				t.Fatalf("line %d is answered %+v", i, l)
			}
			seen[l.ID] = true
		}
		if calls, prompts := w.calls(); len(seen) != n || calls != n || prompts != n {
			t.Errorf("%d answers, %d calls with %d prompts", len(seen), calls, prompts)
		}
		if n := w.kept(b); n != 0 {
			t.Errorf("%d objects are left", n)
		}
		if len(w.take()) != 0 {
			t.Error("it goes on")
		}
		var file struct {
			Purpose, Filename string
			Bytes             int64
		}
		if status, _ := w.call(http.MethodGet, "/v1/files/"+*b.OutputFileID, "", &file); status != http.StatusOK || file.Purpose != "batch_output" ||
			file.Filename != b.ID+"_output.jsonl" || file.Bytes == 0 {
			t.Errorf("the file is %+v", file)
		}
		if status, _ := w.call(http.MethodGet, "/v1/files/"+*b.OutputFileID+"/content", "", nil, "Authorization", "Bearer "+otherKey); status != http.StatusNotFound {
			t.Errorf("another tenant got %d", status)
		}
	})
}

func TestErrorsOfLinesComeInAFileOfTheirOwn(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.answers(func(ctx context.Context, prompt string) (model.Answer, error) {
			if prompt == "bad" {
				return model.Answer{}, model.NewError(events.CodeInvalidRequest, nil)
			}
			return said(ctx, prompt)
		})
		b := w.create(request("good", "hello") + request("bad", "bad") +
			strings.Replace(request("unknown", "x"), `"model":"m"`, `"model":"nobody"`, 1) +
			strings.Replace(request("stream", "x"), `"model":"m"`, `"model":"m","stream":true`, 1) +
			strings.Replace(request("no messages", "x"), `"messages"`, `"mess"`, 1) +
			`{"custom_id":"<&>é","method":"POST","url":"/v1/chat/completions","body":{}}`)
		b = w.finish(b.ID, time.Hour)
		if b.Status != batches.Completed || b.Counts != (batches.Counts{Total: 6, Completed: 1, Failed: 5}) {
			t.Fatalf("it came to %+v", b)
		}
		if good := w.lines(b.OutputFileID); len(good) != 1 || good[0].CustomID != "good" {
			t.Errorf("answers %+v", good)
		}
		statuses := map[string]int{}
		for _, l := range w.lines(b.ErrorFileID) {
			if l.Response == nil || l.Error != nil || l.Response.Body.Error.Message == "" {
				t.Errorf("a line is told as %+v", l)
				continue
			}
			statuses[l.CustomID] = l.Response.StatusCode
		}
		for id, status := range map[string]int{"bad": 400, "unknown": 404, "stream": 400, "no messages": 400, "<&>é": 400} {
			if statuses[id] != status {
				t.Errorf("%s: %d, want %d", id, statuses[id], status)
			}
		}
	})
}

func TestABatchOfErrorsAloneHasNoOutput(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		b := w.create(strings.ReplaceAll(requests(3), `"model":"m"`, `"model":"nobody"`))
		b = w.finish(b.ID, time.Hour)
		if b.Status != batches.Completed || b.OutputFileID != nil || b.Counts.Failed != 3 || len(w.lines(b.ErrorFileID)) != 3 {
			t.Errorf("it came to %+v", b)
		}
	})
}

func TestLinesThatCannotBeTakenNowAreHandedInLater(t *testing.T) {
	t.Parallel()
	t.Run("more than the tenant may have queued", func(t *testing.T) {
		t.Parallel()
		inWorld(t, func(t *testing.T, w *world) {
			w.answers(func(ctx context.Context, prompt string) (model.Answer, error) {
				sleep(time.Second) // of the virtual time
				return said(ctx, prompt)
			})
			key := []string{"Authorization", "Bearer " + narrowKey}
			b := w.create(requests(9), key...)
			w.work(time.Hour, func() bool {
				status, answer := w.call(http.MethodGet, "/v1/batches/"+b.ID, "", &b, key...)
				if status != http.StatusOK {
					t.Fatal(answer)
				}
				return over(b)
			})
			if calls, prompts := w.calls(); b.Status != batches.Completed || b.Counts.Completed != 9 || calls != 9 || prompts != 9 {
				t.Errorf("it came to %+v by %d calls", b, calls)
			}
		})
	})
	t.Run("the results store is away", func(t *testing.T) {
		t.Parallel()
		inWorld(t, func(t *testing.T, w *world) {
			b := w.create(requests(250))
			w.work(time.Hour, func() bool { return w.retrieve(b.ID).Status == batches.InProgress })
			w.store.cells.refuse.Store(40) // each ends a step early
			b = w.finish(b.ID, time.Hour)
			if calls, prompts := w.calls(); b.Status != batches.Completed || b.Counts.Completed != 250 || calls != 250 || prompts != 250 {
				t.Errorf("it came to %+v by %d calls", b, calls)
			}
		})
	})
}

func TestABatchOfATenantThatIsGoneEnds(t *testing.T) {
	t.Parallel()
	for name, began := range map[string]bool{"before it began": false, "after it began": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				b := w.create(requests(300))
				if began {
					w.work(time.Hour, func() bool { return w.retrieve(b.ID).Status == batches.InProgress })
				}
				w.set(parse(t, "other"))
				for range 100 {
					for _, e := range w.take() {
						w.handle(e)
					}
				}
				w.set(parse(t, "search"))
				if b = w.retrieve(b.ID); b.Status != batches.Completed || b.Counts.Failed != 300 {
					t.Fatalf("it came to %+v", b)
				}
				for _, l := range w.lines(b.ErrorFileID) {
					if l.Error == nil || l.Error.Code != "tenant_gone" {
						t.Fatalf("a line is told as %+v", l)
					}
				}
				if n, _ := w.calls(); n != 0 {
					t.Errorf("%d calls", n)
				}
			})
		})
	}
}
