package tally_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
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
				if _, err := known.Accept(t.Context(), id, results.Acceptance{Tenant: "t", AcceptedAt: start}); err != nil {
					t.Fatal(err)
				}
				in(t, tl, id)
			}
			if got := in(t, tl, "c"); got != tally.Full {
				t.Errorf("entry %d while two are under way", got)
			}
			// Its leaving was lost.
			ending := results.Ending{EventID: "e", Status: events.StatusCompleted, Accepted: start}
			if _, err := known.End(t.Context(), "b", ending); err != nil {
				t.Fatal(err)
			}
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
