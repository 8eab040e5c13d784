package infer_test

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
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/results"
)

// image is one that is taken out of the request, large enough not to fit into what a connection holds.
var image = strings.Repeat("AAAA", 1<<20)

// referring returns an event whose request refers to the image, which is in the store.
func referring(t *testing.T, store objects.Store) events.Event {
	t.Helper()
	body := `{"request_id":"7d3f1a52-0c1e-4f5e-9a44-0f2f6b7f1c11","model_id":"gpt","messages":[{"role":"user","content":[` +
		`{"type":"image_url","image_url":{"url":"data:image/png;base64,` + image + `"}}]}]}`
	taken, err := attachments.Take(t.Context(), store, strings.NewReader(body),
		attachments.Limits{Inline: 512, Part: 8 << 20, Body: 1 << 20}, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	in := scheduled(t, string(taken.Body), 1)
	in.Parts, in.PartsID = taken.Parts, taken.PartsID
	return in
}

// fickle is a store of which a part is away, or of whose objects one is gone once it is read.
type fickle struct {
	*objects.Memory

	noStat, noContent atomic.Bool
	gone              atomic.Bool
}

func (f *fickle) Stat(ctx context.Context, key string) (objects.Info, error) {
	if f.noStat.Load() {
		return objects.Info{}, errAway
	}
	return f.Memory.Stat(ctx, key)
}

func (f *fickle) Get(ctx context.Context, key string) (objects.Info, io.ReadCloser, error) {
	switch {
	case f.gone.Load():
		return objects.Info{}, nil, objects.ErrNotFound
	case f.noContent.Load():
		info, content, err := f.Memory.Get(ctx, key)
		return info, struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(content, 1<<20), failing{}), content}, err
	default:
		return f.Memory.Get(ctx, key)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errAway }

// reporting is a board that says what is reported to it.
type reporting struct {
	*health.Board

	mu   sync.Mutex
	told []health.Outcome
}

func (r *reporting) Report(o health.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, o)
	r.Board.Report(o)
}

func TestAShadowGetsWhatTheRequestRefersTo(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	c := setup(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- string(b)
		answering(200, `{"choices":[{"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}`)(w, r)
	}))
	store := objects.NewMemory(nil)
	c.config.Expand = attachments.Expander{Store: store}.Expand
	in := referring(t, store)
	if _, err := c.store.Begin(t.Context(), in.Subject, results.Beginning{Run: in.Run, At: accepted}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.function()(t.Context(), in.AsShadow("main", time.Now().Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	if b := <-got; strings.Contains(b, "baton-part:") || !strings.Contains(b, "data:image/png;base64,AAAA") {
		t.Errorf("the model got %.300s", b)
	}
}

func TestAShadowWhoseDataIsGoneSaysNothing(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(context.Context, *fickle, string){
		"before it is called": func(ctx context.Context, f *fickle, key string) { _ = f.Delete(ctx, key) },
		"while it is sent":    func(_ context.Context, f *fickle, _ string) { f.gone.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := setup(t, answering(400, `{}`))
			board := &reporting{Board: health.New(health.Config{})}
			store := &fickle{Memory: objects.NewMemory(nil)}
			c.config.Health, c.config.Expand = board, attachments.Expander{Store: store}.Expand
			c.config.Observe = func(a infer.Attempt) { t.Errorf("told of %+v", a) }
			in := referring(t, store)
			if _, err := c.store.Begin(t.Context(), in.Subject, results.Beginning{Run: in.Run, At: accepted}); err != nil {
				t.Fatal(err)
			}
			spoil(t.Context(), store, attachments.PartKey(in.PartsID, 0))
			out, err := c.function()(t.Context(), in.AsShadow("main", time.Now().Add(time.Hour)))
			if len(out) != 0 || err != nil || len(board.told) != 0 {
				t.Errorf("emitted %v, %v, and reported %+v", out, err, board.told)
			}
		})
	}
}

func TestAStoreThatIsAwayReservesAndBeginsNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(*fickle)
		begun bool
	}{
		"before the call": {func(f *fickle) { f.noStat.Store(true) }, false},
		"in the call":     {func(f *fickle) { f.noContent.Store(true) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := setup(t, answering(400, `{}`))
			accounts := ledger.NewMemory()
			c.config.Ledger = accounts
			c.target.Price, c.target.MaxTokens = catalog.Price{Input: 1000, Output: 2000}, 100
			tenant := &catalog.Tenant{Name: "search", Budget: catalog.Budget{Amount: 1 << 40, Period: catalog.Day}}
			c.catalog.Tenants = map[string]*catalog.Tenant{"search": tenant}
			store := &fickle{Memory: objects.NewMemory(nil)}
			c.config.Expand = attachments.Expander{Store: store}.Expand
			in := referring(t, store)
			tc.spoil(store)
			h := c.function()
			for range 3 {
				if out, err := h(t.Context(), in); len(out) != 0 || (hop.Limits{}).Classify(in, err).Kind != hop.Return {
					t.Errorf("emitted %v, %v", out, err)
				}
			}
			account, _ := ledger.Account("search", tenant.Budget, c.now())
			if s, err := accounts.Spent(t.Context(), account); err != nil || s != (ledger.Spent{}) {
				t.Errorf("nothing was sent whole, and the account is %+v, %v", s, err)
			}
			if _, err := c.store.Begun(t.Context(), in.Subject); errors.Is(err, results.ErrNotFound) == tc.begun {
				t.Errorf("begun: %v", err)
			}
		})
	}
}

func TestARequestThatRefersToTooMuchWasNotBegun(t *testing.T) {
	t.Parallel()
	c := setup(t, never(t))
	store := objects.NewMemory(nil)
	c.config.Expand = attachments.Expander{Store: store, Most: func() int64 { return 1000 }}.Expand
	out := c.one(t, referring(t, store), events.AttemptFailed)
	if out.ErrorCode != events.CodeInvalidRequest || out.Begun != 0 || !strings.Contains(out.ErrorMessage, "4000 bytes") {
		t.Errorf("emitted %+v", out)
	}
}

func TestTheHostOfAnImageThatDoesNotAnswerIsWaitedFor(t *testing.T) {
	t.Parallel()
	c := setup(t, never(t))
	c.target.FetchURLs = true
	c.config.Expand = attachments.Expander{Fetch: silent{}, Now: c.now}.Expand
	in := scheduled(t, `{"model_id":"gpt","messages":[{"role":"user","content":[`+
		`{"type":"image_url","image_url":{"url":"https://img.example.com/a.png"}}]}]}`, 1)
	if o := outcomeOf(t.Context(), c.function(), in); o.Kind != hop.Parked {
		t.Errorf("%+v, want it parked", o)
	}
	if _, err := c.store.Begun(t.Context(), in.Subject); !errors.Is(err, results.ErrNotFound) {
		t.Errorf("it has begun: %v", err)
	}
}

type silent struct{}

func (silent) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}
