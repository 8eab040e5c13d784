package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/problem"
)

// outcome is what a batch's answer says of one event.
type outcome struct {
	Status     int             `json:"status"`
	MessageID  string          `json:"message_id"`
	RequestID  string          `json:"request_id"`
	Problem    problem.Problem `json:"problem"`
	RetryAfter int             `json:"retry_after"`
}

func event(id, data string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/shop","type":%q,"data":%s}`, id, events.Requested, data)
}

func (f *fixture) batch(t *testing.T, body string) (int, []outcome) {
	t.Helper()
	a := f.do(t, http.MethodPost, "/v1/events", body, "Content-Type", "application/cloudevents-batch+json")
	var out []outcome
	a.decode(t, &out)
	return a.status, out
}

const small = `{"model_id":"small","prompt":"p"}`

func TestABatchOfGoodEventsIsAccepted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var list []string
	for n := range 100 {
		list = append(list, event(strconv.Itoa(n), fmt.Sprintf(`{"model_id":"small","prompt":"p %d"}`, n)))
	}
	body := " [" + strings.Join(list, ",\n") + "]\n"
	status, got := f.batch(t, body)
	if status != http.StatusAccepted || len(got) != 100 {
		t.Fatalf("%d: %d outcomes", status, len(got))
	}
	published := map[string]string{}
	for _, e := range f.published(t) {
		published[e.Subject] = string(e.Data)
	}
	for n, o := range got {
		if o.Status != http.StatusAccepted || !strings.Contains(published[o.MessageID], fmt.Sprintf(`"p %d"`, n)) || o.RequestID == "" {
			t.Errorf("event %d: %+v, published %s", n, o, published[o.MessageID])
		}
	}
	again, repeated := f.batch(t, body) // whoever got no answer sends it again
	if again != http.StatusAccepted || fmt.Sprint(repeated) != fmt.Sprint(got) || len(f.published(t)) != 0 {
		t.Errorf("%d: a repeat is not the same requests", again)
	}
}

func TestEachEventOfABatchIsTakenOrRefusedByItself(t *testing.T) {
	t.Parallel()
	f := setup(t)
	status, got := f.batch(t, "["+strings.Join([]string{
		event("a", small),
		event("b", `{"model_id":"nothing","prompt":"p"}`),
		`{"specversion":"1.0","id":"c","type":"x","data":{}}`,
		`7`,
		event("e", `{"model_id":"small","prompt":"`+strings.Repeat("x", 20<<10)+`"}`),
		event("a", `{"model_id":"small","prompt":"another"}`),
		event("g", small),
	}, ",")+"]")
	if status != http.StatusMultiStatus || len(got) != 7 {
		t.Fatalf("%d: %+v", status, got)
	}
	conflicts := 0 // of the two events with the same id one is first
	for _, i := range []int{0, 5} {
		if got[i].Status == http.StatusUnprocessableEntity {
			conflicts++
		}
	}
	for i, want := range map[int]int{1: 422, 2: 422, 3: 422, 4: 413, 6: 202} {
		if got[i].Status != want || (want != 202) != (got[i].Problem.Status == want) {
			t.Errorf("event %d: %+v, want %d", i, got[i], want)
		}
	}
	if conflicts != 1 {
		t.Errorf("%+v and %+v, want one of them refused", got[0], got[5])
	}
	if e := got[1].Problem.Errors; len(e) != 1 || e[0].Pointer != "/1/data/model_id" {
		t.Errorf("%+v", e)
	}
	var pointers []string
	for _, e := range got[2].Problem.Errors {
		pointers = append(pointers, e.Pointer)
	}
	if fmt.Sprint(pointers) != "[/2/data /2/data/model_id /2/data/prompt /2/source /2/type]" && fmt.Sprint(pointers) != "[/2/data/model_id /2/data/prompt /2/source /2/type]" {
		t.Errorf("%v", pointers)
	}
	if published := f.published(t); len(published) != 2 {
		t.Errorf("%d events, want 2", len(published))
	}
}

func TestWhatIsNoBatchIsRefusedWhole(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for body, want := range map[string]int{
		"":                                      400,
		"[":                                     400,
		"[" + event("a", small):                 400,
		"[" + event("a", small) + ",]":          400,
		"[" + event("a", small) + "] 1":         400,
		"[" + event("a", `{"a":1,"a":2}`) + "]": 400,
		event("a", small):                       422,
		"[]":                                    422,
		"[" + strings.Repeat("1,", 100) + "1]":  422,
		"[\"" + strings.Repeat("x", 17*16<<10):  413,
	} {
		a := f.do(t, http.MethodPost, "/v1/events", body, "Content-Type", "application/cloudevents-batch+json")
		if a.status != want || a.problem(t).Detail == "" {
			t.Errorf("%.60q: %d, want %d: %s", body, a.status, want, a)
		}
	}
	if published := f.published(t); len(published) != 0 {
		t.Errorf("%d events, want none", len(published))
	}
}

func TestEachEventOfABatchCountsAgainstTheRate(t *testing.T) {
	t.Parallel()
	f := setup(t, func(cfg *ingest.Config) {
		cat := testCatalog()
		cat.Tenants["search"].Rate, cat.Tenants["search"].Burst = 0.01, 3
		cfg.Catalog, cfg.Limit = func() *catalog.Catalog { return cat }, limit.New(limit.Config{})
	})
	status, got := f.batch(t, "["+strings.Join([]string{
		event("a", small), event("b", small), event("c", small), event("d", small), event("e", small),
	}, ",")+"]")
	for i, want := range []int{202, 202, 202, 429, 429} {
		if got[i].Status != want || (want == 429) != (got[i].RetryAfter > 0) {
			t.Errorf("event %d: %+v, want %d", i, got[i], want)
		}
	}
	if status != http.StatusMultiStatus || len(f.published(t)) != 3 {
		t.Error(status)
	}
}

func TestABatchThatCannotAllBeStoredSaysWhichWas(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Options{})
	f := setup(t, func(cfg *ingest.Config) {
		cfg.Publisher = publisherFunc(func(ctx context.Context, out ...events.Event) error {
			switch {
			case strings.Contains(string(out[0].Data), "away"):
				return hop.ErrNoLane
			case strings.Contains(string(out[0].Data), "panic"):
				panic("a fault of ours")
			}
			return bus.Publish(ctx, out...)
		})
	})
	_, got := f.batch(t, "["+strings.Join([]string{
		event("a", small), event("b", `{"model_id":"small","prompt":"away"}`), event("c", `{"model_id":"small","prompt":"panic"}`), event("d", small),
	}, ",")+"]")
	for i, want := range []int{202, 503, 500, 202} {
		if got[i].Status != want {
			t.Errorf("event %d: %+v, want %d", i, got[i], want)
		}
	}
	if got[1].RetryAfter == 0 {
		t.Error("what may pass does not say when")
	}
}

func TestTheOfficialSDKSubmitsBatches(t *testing.T) {
	t.Parallel()
	f := setup(t)
	list := []cloudevents.Event{requested(t, good), requested(t, good)}
	list[1].SetID("order-8")
	req, err := cehttp.NewHTTPRequestFromEvents(t.Context(), f.URL+"/v1/events", list)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+searchKey)
	res, err := f.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got []outcome
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || res.StatusCode != http.StatusAccepted || len(got) != 2 {
		t.Errorf("%s: %v, %v", res.Status, got, err)
	}
}
