package tally_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/tally"
	"baton.dev/baton/internal/tally/tallytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	tallytest.Run(t, func(*testing.T) tally.Store { return tally.NewMemory() })
}

var (
	start   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	bounded = &catalog.Tenant{Name: "t", Queued: 2}
)

// clock is a clock that stands until it is moved.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time          { return start.Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// failing is a store that is away while it is told to be.
type failing struct {
	tally.Store

	away atomic.Bool
}

func (f *failing) Enter(ctx context.Context, tenant, id string, most int, now, expires time.Time) (tally.Entry, error) {
	if f.away.Load() {
		return tally.Full, errors.New("away")
	}
	return f.Store.Enter(ctx, tenant, id, most, now, expires)
}

func (f *failing) Leave(ctx context.Context, tenant string, ids ...string) error {
	if f.away.Load() {
		return errors.New("away")
	}
	return f.Store.Leave(ctx, tenant, ids...)
}

// in returns the tally's entry of a request that expires in an hour.
func in(t *testing.T, tl *tally.Tally, id string) tally.Entry {
	t.Helper()
	return tl.Enter(t.Context(), bounded, id, start.Add(time.Hour))
}

func TestATenantWithoutABoundIsNotCounted(t *testing.T) {
	t.Parallel()
	store := tally.NewMemory()
	tl := tally.New(tally.Config{Store: store})
	free := &catalog.Tenant{Name: "free"}
	for i := range 9 {
		if got := tl.Enter(t.Context(), free, strconv.Itoa(i), time.Now().Add(time.Hour)); got != tally.Present {
			t.Errorf("entry %d", got)
		}
	}
	tl.Leave(t.Context(), free, "0")
	if n, _ := store.Count(t.Context(), "free", time.Now()); n != 0 {
		t.Errorf("%d are counted", n)
	}
}

func TestWhoeverEndedLeavesWhateverProcessItEndedIn(t *testing.T) {
	t.Parallel()
	c, store := &clock{}, tally.NewMemory()
	door := tally.New(tally.Config{Store: store, Now: c.now})
	end := tally.New(tally.Config{Store: store, Now: c.now})
	cat := &catalog.Catalog{Tenants: map[string]*catalog.Tenant{"t": bounded}}
	in(t, door, "a")
	in(t, door, "b")
	end.Ended(t.Context(), cat, events.Event{Type: events.AttemptFailed, Tenant: "t", Subject: "a"})
	end.Ended(t.Context(), cat, events.Event{Type: events.Completed, Tenant: "gone", Subject: "a"})
	if got := in(t, door, "c"); got != tally.Full {
		t.Errorf("entry %d while two are under way", got)
	}
	end.Ended(t.Context(), cat, events.Event{Type: events.Completed, Tenant: "t", Subject: "a"})
	end.Ended(t.Context(), cat, events.Event{Type: events.Failed, Tenant: "t", Subject: "b"})
	for _, id := range []string{"c", "d"} {
		if got := in(t, door, id); got != tally.Entered {
			t.Errorf("%s: entry %d", id, got)
		}
	}
}

func TestWhileTheStoreIsAwayEachProcessBoundsWhatItSees(t *testing.T) {
	t.Parallel()
	c := &clock{}
	store := &failing{Store: tally.NewMemory()}
	var log bytes.Buffer
	tl := tally.New(tally.Config{Store: store, Now: c.now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	in(t, tl, "a")
	in(t, tl, "b")
	store.away.Store(true)
	for _, id := range []string{"c", "d"} {
		if got := in(t, tl, id); got != tally.Entered {
			t.Errorf("%s: entry %d", id, got)
		}
	}
	if got := in(t, tl, "e"); got != tally.Full {
		t.Errorf("entry %d beside as many as may be", got)
	}
	tl.Leave(t.Context(), bounded, "c")
	if got := in(t, tl, "e"); got != tally.Entered {
		t.Errorf("entry %d after one left", got)
	}
	c.advance(time.Minute) // where they end in another process, this one is not told
	if got := in(t, tl, "f"); got != tally.Entered {
		t.Errorf("entry %d after a minute", got)
	}
	store.away.Store(false)
	if got := in(t, tl, "g"); got != tally.Full {
		t.Errorf("entry %d, but the store has two", got)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("logged %d lines, want one that it went and one that it came:\n%s", n, log.String())
	}
}

func TestATenantThatIsFullIsRidOfWhatHasEnded(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]tally.Store{"together": tally.NewMemory(), "alone": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &clock{}
			known := results.New(results.NewMemory()).WithClock(c.now)
			tl := tally.New(tally.Config{Store: store, Results: known, Now: c.now})
			for _, id := range []string{"a", "b"} {
				accept(t, known, id)
				in(t, tl, id)
			}
			if got := in(t, tl, "c"); got != tally.Full {
				t.Errorf("entry %d while two are under way", got)
			}
			// Its leaving was lost.
			end(t, known, "b")
			if got := in(t, tl, "c"); got != tally.Full {
				t.Errorf("entry %d: it looked twice in a second", got)
			}
			c.advance(time.Second)
			if got := in(t, tl, "c"); got != tally.Entered {
				t.Errorf("entry %d after one ended", got)
			}
			c.advance(time.Second)
			if got := in(t, tl, "d"); got != tally.Full {
				t.Errorf("entry %d: one that is under way, or about to be accepted, was put out", got)
			}
		})
	}
}

// cells are those of results, which cannot be read while they are away.
type cells struct {
	results.Cells

	away  atomic.Bool
	reads atomic.Int32
}

func (c *cells) Get(ctx context.Context, key string) ([]byte, error) {
	c.reads.Add(1)
	if c.away.Load() {
		return nil, errors.New("away")
	}
	return c.Cells.Get(ctx, key)
}

// accept writes down that the request was accepted, and end that it ended.
func accept(t *testing.T, known *results.Store, id string) {
	t.Helper()
	if _, err := known.Accept(t.Context(), id, results.Acceptance{Tenant: "t", AcceptedAt: start}); err != nil {
		t.Fatal(err)
	}
}

func end(t *testing.T, known *results.Store, id string) {
	t.Helper()
	ending := results.Ending{EventID: "e", Status: events.StatusCompleted, Accepted: start}
	if _, err := known.End(t.Context(), id, ending); err != nil {
		t.Fatal(err)
	}
}

// A tenant sends more in a second than a look finds, and all of it ends soon, in another process.
func TestATenantWithNothingUnderWayIsNeverFull(t *testing.T) {
	t.Parallel()
	away := &failing{Store: tally.NewMemory()}
	away.away.Store(true)
	for name, store := range map[string]tally.Store{"together": tally.NewMemory(), "alone": nil, "while the store is away": away} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &clock{}
			known := results.New(results.NewMemory()).WithClock(c.now)
			door := tally.New(tally.Config{Store: store, Results: known, Now: c.now})
			many := &catalog.Tenant{Name: "t", Queued: 500}
			for second := range 20 {
				for i := range 300 {
					id := fmt.Sprint(second, "-", i)
					if door.Enter(t.Context(), many, id, start.Add(time.Hour)) == tally.Full {
						t.Fatalf("%s is refused", id)
					}
					accept(t, known, id)
					end(t, known, id)
				}
				c.advance(time.Second)
			}
			// Nor when its bound is lowered to less than a look takes out.
			many.Queued = 2
			if got := door.Enter(t.Context(), many, "last", start.Add(time.Hour)); got == tally.Full {
				t.Error("it is refused under a bound that was lowered")
			}
		})
	}
}

func TestWhoeverIsCountedAloneIsLetInWhenNothingCanBeLearned(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]tally.Store{"together": tally.NewMemory(), "alone": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := &cells{Cells: results.NewMemory()}
			tl := tally.New(tally.Config{Store: store, Results: results.New(kept), Now: (&clock{}).now})
			ten := &catalog.Tenant{Name: "t", Queued: 10}
			enter := func(n int) tally.Entry { return tl.Enter(t.Context(), ten, strconv.Itoa(n), start.Add(time.Hour)) }
			for n := range ten.Queued {
				enter(n)
			}
			kept.away.Store(true)
			want := tally.Full // the count of all processes is true but for what was lost
			if store == nil {
				want = tally.Present
			}
			for n := ten.Queued; n < 15; n++ {
				if got := enter(n); got != want {
					t.Errorf("%d: entry %d, want %d", n, got, want)
				}
			}
			if n := kept.reads.Load(); n > 3 {
				t.Errorf("%d reads of what cannot be read", n)
			}
		})
	}
}

func TestATenantThatIsFullIsLookedAtOnceASecondHoweverManyCome(t *testing.T) {
	t.Parallel()
	kept := &cells{Cells: results.NewMemory()}
	known := results.New(kept)
	tl := tally.New(tally.Config{Results: known, Now: (&clock{}).now})
	for _, id := range []string{"a", "b"} {
		accept(t, known, id)
		in(t, tl, id)
	}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if got := in(t, tl, strconv.Itoa(i)); got != tally.Full {
				t.Errorf("%d: entry %d while two are under way", i, got)
			}
		})
	}
	all.Wait()
	if n := kept.reads.Load(); n > 2*3 {
		t.Errorf("%d reads, want those of a look at two", n)
	}
}

func TestACanceledCallerSaysNothingOfTheStore(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	store := &failing{Store: tally.NewMemory()}
	store.away.Store(true)
	tl := tally.New(tally.Config{Store: store, Log: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tl.Enter(ctx, bounded, "a", time.Now().Add(time.Hour))
	if log.Len() > 0 {
		t.Errorf("logged %s", log.String())
	}
}

func TestACallerThatIsGoneIsNotToldThatItsTenantIsFull(t *testing.T) {
	t.Parallel()
	tl := tally.New(tally.Config{Store: tally.NewMemory(), Results: results.New(results.NewMemory()), Now: (&clock{}).now})
	in(t, tl, "a")
	in(t, tl, "b")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := tl.Enter(ctx, bounded, "c", start.Add(time.Hour)); got == tally.Full {
		t.Error("it is")
	}
	if got := in(t, tl, "c"); got != tally.Full {
		t.Errorf("the next: entry %d", got)
	}
}

func TestMemorySamplesInTurnHoweverManyComeAndGo(t *testing.T) {
	t.Parallel()
	m := tally.NewMemory()
	expires := start.Add(time.Hour)
	for i := range 1000 {
		if _, err := m.Enter(t.Context(), "t", strconv.Itoa(i), 3, start, expires); err != nil {
			t.Fatal(err)
		}
		if i >= 3 {
			if err := m.Leave(t.Context(), "t", strconv.Itoa(i)); err != nil {
				t.Fatal(err)
			}
		}
		if i%3 == 2 {
			_ = m.Leave(t.Context(), "t", "1")
			_, _ = m.Enter(t.Context(), "t", "1", 3, start, expires)
		}
	}
	for _, want := range []string{"0 2", "1 0", "2 1"} {
		some, err := m.Sample(t.Context(), "t", 2)
		if got := strings.Join(some, " "); got != want || err != nil {
			t.Errorf("a sample is %s, %v, want %s", got, err, want)
		}
	}
}

func Example() {
	tenant := &catalog.Tenant{Name: "search", Queued: 1}
	queued := tally.New(tally.Config{})
	ctx, deadline := context.Background(), time.Now().Add(time.Hour)
	fmt.Println(queued.Enter(ctx, tenant, "first", deadline) == tally.Entered)
	fmt.Println(queued.Enter(ctx, tenant, "second", deadline) == tally.Full)
	queued.Leave(ctx, tenant, "first")
	fmt.Println(queued.Enter(ctx, tenant, "second", deadline) == tally.Entered)
	// Output:
	// true
	// true
	// true
}
