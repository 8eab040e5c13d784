package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/results"
)

func TestPollingFollowsARequest(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.accepted(t, good)
	path := "/v1/inferences/" + r.MessageID
	expect := func(status events.Status) {
		t.Helper()
		a := f.do(t, http.MethodGet, path, "")
		want := receipt{r.MessageID, r.RequestID, status, "gpt-4-turbo"}
		if got := a.receipt(t); a.status != 200 || got != want || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("answered %d: %s, want %+v", a.status, a, want)
		}
	}
	expect(events.StatusQueued)
	if _, err := f.store.Begin(t.Context(), r.MessageID, results.Beginning{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	expect(events.StatusRunning)
	stored := f.end(t, r.MessageID, events.StatusCompleted)
	for _, p := range []string{path, path + "?wait=30s", "/v1/inferences/" + strings.ToUpper(r.MessageID)} {
		if a := f.do(t, http.MethodGet, p, ""); a.status != 200 || !bytes.Equal(a.body, stored) {
			t.Errorf("%s answered %d: %s", p, a.status, a)
		}
	}
	if a := f.do(t, http.MethodHead, path, ""); a.status != 200 || len(a.body) != 0 || a.header.Get("Content-Length") == "" {
		t.Errorf("HEAD answered %d: %v", a.status, a.header)
	}
}

func TestARequestIsHadByTheIDsOfOpenAIsAnswers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.accepted(t, good)
	digits := strings.ReplaceAll(r.MessageID, "-", "")
	ids := []string{"chatcmpl-" + digits, "cmpl-" + digits, "resp_" + digits, digits}
	for _, id := range ids {
		if a := f.do(t, http.MethodGet, "/v1/inferences/"+id, ""); a.status != 200 || a.receipt(t).MessageID != r.MessageID {
			t.Errorf("GET %s answered %d: %s", id, a.status, a)
		}
		if a := f.do(t, http.MethodDelete, "/v1/inferences/"+id, ""); a.status != 200 || a.receipt(t).Status != events.StatusCanceled {
			t.Errorf("DELETE %s answered %d: %s", id, a.status, a)
		}
	}
	f.end(t, r.MessageID, events.StatusCompleted)
	for _, id := range ids {
		a := f.do(t, http.MethodGet, "/v1/inferences/"+id+"/stream", "")
		if a.status != 200 || !strings.Contains(string(a.body), r.MessageID) {
			t.Errorf("the stream of %s answered %d: %s", id, a.status, a)
		}
	}
}

func TestALongPollAnswersWhenTheResultComes(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.accepted(t, good)
	answers := make(chan answer, 1)
	go func() { answers <- f.do(t, http.MethodGet, "/v1/inferences/"+r.MessageID+"?wait=59", "") }()
	stored := f.end(t, r.MessageID, events.StatusCompleted)
	if a := <-answers; a.status != 200 || !bytes.Equal(a.body, stored) {
		t.Errorf("answered %d: %s", a.status, a)
	}
}

func TestALongPollEndsWithTheStanding(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.accepted(t, good)
	for _, wait := range []string{"1ms", "0", "0s", "1"} {
		a := f.do(t, http.MethodGet, "/v1/inferences/"+r.MessageID+"?wait="+wait, "")
		if a.status != 200 || a.receipt(t).Status != events.StatusQueued {
			t.Errorf("wait=%s answered %d: %s", wait, a.status, a)
		}
	}
}

func TestABadWaitIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.accepted(t, good)
	for _, wait := range []string{"", "soon", "-1", "-1s", "1x", "0x10", "%00", "1e3", "+5", "NaN"} {
		a := f.do(t, http.MethodGet, "/v1/inferences/"+r.MessageID+"?wait="+wait, "")
		if a.status != http.StatusBadRequest {
			t.Errorf("wait=%s answered %d: %s", wait, a.status, a)
			continue
		}
		a.problem(t)
	}
}

func TestWhatIsNotThereIs404(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.accepted(t, good)
	for name, c := range map[string][]string{
		"an unknown id":             {someID},
		"no UUID":                   {"hello"},
		"a UUID in braces":          {"{" + r.MessageID + "}"},
		"a UUID as a URN":           {"urn:uuid:" + r.MessageID},
		"an id of embeddings":       {"embd-" + strings.ReplaceAll(r.MessageID, "-", "")},
		"an id with a dash missing": {strings.Replace(r.MessageID, "-", "", 1)},
		"an id and more":            {r.MessageID + ".accepted"},
		"another tenant's request":  {r.MessageID, "Authorization", "Bearer " + narrowKey},
	} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			a := f.do(t, method, "/v1/inferences/"+c[0], "", c[1:]...)
			if a.status != http.StatusNotFound {
				t.Errorf("%s %s answered %d: %s", method, name, a.status, a)
				continue
			}
			a.problem(t)
		}
	}
	if a := f.do(t, http.MethodGet, "/v1/inferences/"+r.MessageID, "", "Authorization", ""); a.status != http.StatusUnauthorized {
		t.Errorf("without a key: %s", a)
	}
}

func TestCanceling(t *testing.T) {
	t.Parallel()
	cancel := func(t *testing.T, f *fixture, r receipt) events.Status {
		t.Helper()
		a := f.do(t, http.MethodDelete, "/v1/inferences/"+r.MessageID, "")
		got := a.receipt(t)
		if a.status != 200 || got.MessageID != r.MessageID || got.RequestID != r.RequestID {
			t.Errorf("answered %d: %s", a.status, a)
		}
		return got.Status
	}
	t.Run("stops what has not begun, and says so again", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		r := f.accepted(t, good)
		for range 2 {
			if got := cancel(t, f, r); got != events.StatusCanceled {
				t.Errorf("status %s", got)
			}
		}
		begun, err := f.store.Begin(t.Context(), r.MessageID, results.Beginning{At: time.Now()})
		if err != nil || !begun.Canceled {
			t.Errorf("a run could begin: %+v, %v", begun, err)
		}
		var res events.Result
		a := f.do(t, http.MethodGet, "/v1/inferences/"+r.MessageID+"?wait=30", "")
		a.decode(t, &res)
		if res.Status != events.StatusCanceled || res.MessageID != r.MessageID || res.RequestID != r.RequestID ||
			res.ModelID != "gpt-4-turbo" || res.Timings.AcceptedAt.IsZero() || res.Timings.CompletedAt.Before(res.Timings.AcceptedAt) {
			t.Errorf("result %s", a)
		}
	})
	t.Run("is too late for what runs", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		r := f.accepted(t, good)
		if _, err := f.store.Begin(t.Context(), r.MessageID, results.Beginning{At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if got := cancel(t, f, r); got != events.StatusRunning {
			t.Errorf("status %s", got)
		}
	})
	for _, status := range []events.Status{events.StatusCompleted, events.StatusFailed} {
		t.Run("is too late for what is "+string(status), func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			r := f.accepted(t, good)
			f.end(t, r.MessageID, status)
			if got := cancel(t, f, r); got != status {
				t.Errorf("status %s", got)
			}
		})
	}
	t.Run("answers a waiting caller", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		r := f.accepted(t, good)
		cancel(t, f, r)
		a := f.post(t, `{"request_id":"`+r.RequestID+`","model_id":"gpt-4-turbo","prompt":"Say hello."}`, "Prefer", "wait=50")
		if a.status != http.StatusUnprocessableEntity { // a body with the id in it is another body
			t.Errorf("answered %d: %s", a.status, a)
		}
		key := f.accepted(t, good, "Idempotency-Key", "k")
		cancel(t, f, key)
		a = f.post(t, good, "Idempotency-Key", "k", "Prefer", "wait=50")
		var res events.Result
		if err := json.Unmarshal(a.body, &res); err != nil || a.status != 200 || res.Status != events.StatusCanceled {
			t.Errorf("answered %d: %s", a.status, a)
		}
	})
}

// expiries notes when each cell expires, by the last part of its key.
type expiries struct {
	results.Cells
	of sync.Map
}

func (c *expiries) Create(ctx context.Context, key string, value []byte, expires time.Time) ([]byte, error) {
	c.of.Store(key[strings.LastIndexByte(key, '.')+1:], expires)
	return c.Cells.Create(ctx, key, value, expires)
}

func TestACancelIsKeptAsLongAsTheAcceptance(t *testing.T) {
	t.Parallel()
	cells := &expiries{Cells: results.NewMemory()}
	var hours atomic.Int64
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f := setup(t, func(c *ingest.Config) {
		c.Results = results.New(cells)
		c.Now = func() time.Time { return start.Add(time.Duration(hours.Load()) * time.Hour) }
	})
	r := f.accepted(t, good)
	hours.Add(5)
	f.do(t, http.MethodDelete, "/v1/inferences/"+r.MessageID, "")
	for _, fact := range []string{"accepted", "begun"} {
		if got, _ := cells.of.Load(fact); got != start.Add(results.Retention) {
			t.Errorf("%s expires %v", fact, got)
		}
	}
}

func TestAResultArrivesHoweverLongItIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(f *fixture, body, messageID string) answer{
		"with Prefer": func(f *fixture, body, _ string) answer { return f.post(t, body, "Prefer", "wait=30") },
		"by polling": func(f *fixture, _, messageID string) answer {
			return f.do(t, http.MethodGet, "/v1/inferences/"+messageID+"?wait=30", "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			const body = `{"request_id":"` + someID + `","model_id":"small","prompt":"Hello."}`
			first := f.accepted(t, body)
			ended := make(chan []byte, 1)
			defer time.AfterFunc(4*writeTimeout, func() { ended <- f.end(t, first.MessageID, events.StatusCompleted) }).Stop()
			if a := wait(f, body, first.MessageID); a.status != http.StatusOK || !bytes.Equal(a.body, <-ended) {
				t.Errorf("answered %s", a)
			}
		})
	}
}
