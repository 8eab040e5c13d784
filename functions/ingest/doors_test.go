package ingest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/admission"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/tally"
)

// configured serves a catalog that the test has changed.
func configured(change func(*catalog.Catalog)) option {
	cat := testCatalog()
	change(cat)
	return func(c *ingest.Config) { c.Catalog = func() *catalog.Catalog { return cat } }
}

// refused checks that the answer is a problem of the word, and says when to come again.
func (a answer) refused(t *testing.T, status int, word problem.Word) problem.Problem {
	t.Helper()
	if a.status != status {
		t.Fatalf("answered %d: %s", a.status, a)
	}
	p := a.problem(t)
	if p.Type != problem.TypePrefix+string(word) {
		t.Errorf("type %s, want %s", p.Type, word)
	}
	if got := a.header.Get("Retry-After"); got == "" || strings.Trim(got, "0123456789") != "" || got == "0" {
		t.Errorf("Retry-After %q", got)
	}
	return p
}

const anotherKey = "baton_search_another_key"

func limited(t *testing.T) *fixture {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return setup(t, configured(func(c *catalog.Catalog) {
		search := c.Tenants["search"]
		search.Rate, search.Burst = 0.1, 3
		search.Keys = append(search.Keys, strings.TrimPrefix(catalog.HashKey(anotherKey), "sha256:"))
	}), func(c *ingest.Config) { c.Limit = limit.New(limit.Config{Now: func() time.Time { return start }}) })
}

func TestARateIsSaidAndHeld(t *testing.T) {
	t.Parallel()
	f := limited(t)
	for _, want := range []string{`"default";r=2;t=10`, `"default";r=1;t=10`, `"default";r=0;t=10`} {
		a := f.post(t, good)
		if a.status != 202 || a.header.Get("RateLimit") != want || a.header.Get("RateLimit-Policy") != `"default";q=3;w=30` {
			t.Errorf("answered %d: %v, want %s", a.status, a.header, want)
		}
	}
	a := f.post(t, good)
	a.refused(t, 429, problem.RateLimited)
	if a.header.Get("RateLimit") != `"default";r=0;t=10` || a.header.Get("Retry-After") != "10" ||
		a.header.Get("RateLimit-Policy") != `"default";q=3;w=30` {
		t.Errorf("refused with %v", a.header)
	}
	if n := len(f.published(t)); n != 3 {
		t.Errorf("%d events", n)
	}
}

func TestEveryDoorCountsAgainstTheRateAndPollsDoNot(t *testing.T) {
	t.Parallel()
	f := limited(t)
	first := f.post(t, good, "Idempotency-Key", "k")
	for range 9 {
		for path, method := range map[string]string{
			first.header.Get("Location"): http.MethodGet, "/v1/models": http.MethodGet, "/v1/inferences": http.MethodGet,
		} {
			if a := f.do(t, method, path, ""); a.status == 429 || a.header.Get("RateLimit") != "" {
				t.Errorf("%s %s answered %d with %v", method, path, a.status, a.header)
			}
		}
	}
	if a := f.post(t, good, "Idempotency-Key", "k"); a.header.Get("RateLimit") != `"default";r=1;t=10` {
		t.Errorf("a repeat: %v", a.header)
	}
	if a := f.do(t, http.MethodPost, "/v1/events", `{`); a.status == 202 || a.header.Get("RateLimit") != `"default";r=0;t=10` {
		t.Errorf("one that is not valid: %d, %v", a.status, a.header)
	}
	for _, path := range []string{"/v1/inferences", "/async-infer", "/v1/events"} {
		f.do(t, http.MethodPost, path, good).refused(t, 429, problem.RateLimited)
	}
	f.post(t, good, "Authorization", "Bearer "+anotherKey).refused(t, 429, problem.RateLimited)
	if a := f.post(t, smallGood, "Authorization", "Bearer "+narrowKey); a.status != 202 || a.header.Get("RateLimit") != "" {
		t.Errorf("a tenant without a rate: %d, %v", a.status, a.header)
	}
	if a := f.post(t, good, "Authorization", "Bearer nobody"); a.status != 401 {
		t.Errorf("a key that is not known: %d", a.status)
	}
}

const smallGood = `{"model_id":"small","prompt":"Say hello."}`

// unread fails the test when it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestWhatIsTooFastIsRefusedBeforeItsBodyIsRead(t *testing.T) {
	t.Parallel()
	cat := testCatalog()
	cat.Tenants["search"].Rate = 0.001
	server := ingest.New(ingest.Config{
		Catalog: func() *catalog.Catalog { return cat }, Limit: limit.New(limit.Config{}),
	})
	for i := range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/inferences", unread{t})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			r.Body = http.NoBody
		}
		r.Header.Set("Authorization", "Bearer "+searchKey)
		r.Header.Set("Content-Type", "application/json")
		w := &discard{header: http.Header{}}
		server.ServeHTTP(w, r)
		if refused := w.status == 429; refused != (i == 1) {
			t.Errorf("answered %d", w.status)
		}
	}
}

// crowded is a server whose tenant search may have two requests queued.
func crowded(t *testing.T, options ...option) (*fixture, *tally.Memory, *tally.Tally) {
	store := tally.NewMemory()
	tl := tally.New(tally.Config{Store: store})
	options = append([]option{
		configured(func(c *catalog.Catalog) { c.Tenants["search"].Queued = 2 }),
		func(c *ingest.Config) { c.Tally = tl },
	}, options...)
	return setup(t, options...), store, tl
}

func queued(t *testing.T, store *tally.Memory, want int) {
	t.Helper()
	if n, _ := store.Count(t.Context(), "search", time.Now()); n != want {
		t.Errorf("%d are counted, want %d", n, want)
	}
}

func TestATenantHasAsManyRequestsQueuedAsItMay(t *testing.T) {
	t.Parallel()
	f, store, tl := crowded(t)
	first := f.accepted(t, good, "Idempotency-Key", "1")
	second := f.accepted(t, good, "Idempotency-Key", "2")
	if p := f.post(t, good, "Idempotency-Key", "3").refused(t, 429, problem.QueueFull); !strings.HasPrefix(p.Detail, "2 of ") {
		t.Errorf("detail %q", p.Detail)
	}
	if a := f.do(t, http.MethodGet, "/v1/inferences/"+events.MessageID("search", first.RequestID), ""); a.status != 200 {
		t.Errorf("polling: %s", a)
	}
	f.accepted(t, smallGood, "Authorization", "Bearer "+narrowKey)
	queued(t, store, 2)
	if again := f.accepted(t, good, "Idempotency-Key", "1"); again != first {
		t.Errorf("the same request again: %+v", again)
	}
	queued(t, store, 2)

	// As callback does: it writes down that the request ended, and says so to the tally.
	f.end(t, first.MessageID, events.StatusCompleted)
	tl.Ended(t.Context(), &catalog.Catalog{Tenants: map[string]*catalog.Tenant{"search": {Name: "search", Queued: 2}}},
		events.Event{Type: events.Completed, Tenant: "search", Subject: first.MessageID})
	queued(t, store, 1)
	f.accepted(t, good, "Idempotency-Key", "1")
	queued(t, store, 1) // a repeat of what has ended leaves nothing behind
	third := f.accepted(t, good, "Idempotency-Key", "3")
	if again := f.accepted(t, good, "Idempotency-Key", "1"); again != first {
		t.Errorf("a repeat of what has ended, while the queue is full: %+v", again)
	}
	queued(t, store, 2)
	if a := f.do(t, http.MethodDelete, "/v1/inferences/"+second.MessageID, ""); a.status != 200 {
		t.Errorf("cancel: %s", a)
	}
	queued(t, store, 1)
	if _, err := f.store.Look(t.Context(), third.MessageID); err != nil {
		t.Error(err)
	}
}

func TestARequestThatIsNotStoredIsNotCounted(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	f, store, _ := crowded(t, func(c *ingest.Config) {
		bus := c.Publisher
		c.Publisher = publisherFunc(func(ctx context.Context, out ...events.Event) error {
			if broken.Load() {
				return errors.New("broker away")
			}
			return bus.Publish(ctx, out...)
		})
	})
	for range 4 {
		f.post(t, good, "Idempotency-Key", "1").refused(t, 503, problem.Unavailable)
	}
	queued(t, store, 0)
	broken.Store(false)
	f.accepted(t, good, "Idempotency-Key", "1")
	queued(t, store, 1)
	broken.Store(true)
	f.post(t, good, "Idempotency-Key", "1").refused(t, 503, problem.Unavailable)
	queued(t, store, 1) // the first is under way, whatever its repeat was told
	a := f.post(t, smallGood, "Idempotency-Key", "1")
	if a.status != 422 {
		t.Errorf("answered %s", a)
	}
	queued(t, store, 1)
}

func TestManyAtOnceAreAsManyAsMayBeQueued(t *testing.T) {
	t.Parallel()
	f, store, _ := crowded(t)
	var accepted, refused atomic.Int32
	var all sync.WaitGroup
	for range 24 {
		all.Go(func() {
			switch a := f.post(t, good); a.status {
			case 202:
				accepted.Add(1)
			case 429:
				refused.Add(1)
			default:
				t.Errorf("answered %s", a)
			}
		})
	}
	all.Wait()
	if accepted.Load() != 2 || refused.Load() != 22 {
		t.Errorf("%d accepted, %d refused", accepted.Load(), refused.Load())
	}
	queued(t, store, 2)
	if n := len(f.published(t)); n != 2 {
		t.Errorf("%d events", n)
	}
}

// steady is the health of targets that answer in a second.
type steady struct{}

func (steady) Status(string) health.Status {
	return health.Status{Attempts: 100, Latency: time.Second, Rate: 10}
}

// backlogged is a server before whose models so many calls wait, ten a second of which are done.
func backlogged(t *testing.T, n int, options ...option) *fixture {
	gate := admission.New(admission.Config{
		Depths: func(context.Context) (map[events.Lane]int, error) {
			return map[events.Lane]int{{Hop: events.Infer, Priority: events.High, Target: "one"}: n}, nil
		},
		Health: steady{},
	})
	if err := gate.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	options = append([]option{
		configured(func(c *catalog.Catalog) {
			c.Models["small"].Targets = []*catalog.Target{{Name: "one", Weight: 1, Concurrency: 10}}
			c.Models["family"] = &catalog.Model{ID: "family", Group: []catalog.Member{{Model: "small", Weight: 1}}}
		}),
		func(c *ingest.Config) { c.Admission = gate },
	}, options...)
	return setup(t, options...)
}

func TestARequestThatWouldMissItsDeadlineIsRefused(t *testing.T) {
	t.Parallel()
	f := backlogged(t, 1209) // two minutes
	within := func(model, seconds string) string {
		return `{"model_id":"` + model + `","prompt":"x","deadline_seconds":` + seconds + `}`
	}
	for _, model := range []string{"small", "family"} {
		a := f.post(t, within(model, "110"))
		p := a.refused(t, 503, problem.WouldMissDeadline)
		if !strings.Contains(p.Detail, "about 2m0s") || !strings.Contains(p.Detail, "in 1m50s") {
			t.Errorf("detail %q", p.Detail)
		}
		if got := a.header.Get("Retry-After"); got != "10" && got != "11" {
			t.Errorf("Retry-After %s", got)
		}
		f.accepted(t, within(model, "130"))
		f.accepted(t, `{"model_id":"`+model+`","prompt":"x"}`)
	}
	f.accepted(t, within("gpt-4-turbo", "1")) // nothing is known of it
	f.accepted(t, `{"model_id":"small","prompt":"x","deadline_seconds":1,"priority":"normal"}`)
	if n := len(f.published(t)); n != 6 {
		t.Errorf("%d events", n)
	}
}

func TestARepeatIsNotRefusedForItsDeadline(t *testing.T) {
	t.Parallel()
	body := `{"request_id":"` + someID + `","model_id":"small","prompt":"x","deadline_seconds":30}`
	idle := setup(t)
	first := idle.accepted(t, body)
	f := backlogged(t, 1209, func(c *ingest.Config) { c.Results = idle.store })
	if again := f.accepted(t, body); again != first {
		t.Errorf("first %+v, again %+v", first, again)
	}
}

// purse is a budget as the ledger tells it.
type purse struct {
	left  bool
	ends  time.Time
	err   error
	asked *atomic.Int32
}

func (p purse) Spent(context.Context, *catalog.Tenant) (bool, time.Time, error) {
	p.asked.Add(1)
	return p.left, p.ends, p.err
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ask := func(t *testing.T, p purse) (*fixture, *atomic.Int32) {
		p.asked = &atomic.Int32{}
		p.ends = now.Add(90*time.Minute - time.Millisecond)
		return setup(t, configured(func(c *catalog.Catalog) {
			c.Tenants["search"].Budget = catalog.Budget{Amount: 1, Period: catalog.Day}
		}), func(c *ingest.Config) { c.Budget, c.Now = p, func() time.Time { return now } }), p.asked
	}
	t.Run("with something left the request is accepted", func(t *testing.T) {
		t.Parallel()
		f, asked := ask(t, purse{left: true})
		f.accepted(t, good)
		if asked.Load() != 1 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
	t.Run("one that is spent refuses until the period ends", func(t *testing.T) {
		t.Parallel()
		f, _ := ask(t, purse{})
		a := f.post(t, good)
		a.refused(t, 429, problem.BudgetSpent)
		if got := a.header.Get("Retry-After"); got != "5400" {
			t.Errorf("Retry-After %s", got)
		}
	})
	t.Run("one that is not known refuses for a moment", func(t *testing.T) {
		t.Parallel()
		f, _ := ask(t, purse{left: true, err: errors.New("ledger away")})
		a := f.post(t, good)
		a.refused(t, 503, problem.Unavailable)
		if strings.Contains(string(a.body), "ledger") {
			t.Errorf("the inside is shown: %s", a)
		}
	})
	t.Run("a tenant without one is not asked for", func(t *testing.T) {
		t.Parallel()
		f, asked := ask(t, purse{err: errors.New("ledger away")})
		f.accepted(t, smallGood, "Authorization", "Bearer "+narrowKey)
		if asked.Load() != 0 {
			t.Error("asked")
		}
	})
	t.Run("what is not valid does not ask", func(t *testing.T) {
		t.Parallel()
		f, asked := ask(t, purse{})
		if a := f.post(t, `{"model_id":"gone"}`); a.status != 422 || asked.Load() != 0 {
			t.Errorf("answered %d, asked %d times", a.status, asked.Load())
		}
	})
}
