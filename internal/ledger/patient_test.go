package ledger_test

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
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/ledger/ledgertest"
)

func TestPatientConformance(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) func() ledger.Store {
		p := ledger.NewPatient(ledger.NewMemory(), slog.New(slog.DiscardHandler))
		return func() ledger.Store { return p }
	})
}

var errAway = errors.New("the store is away")

// away is a ledger that cannot be reached while it is away, and that never takes what is of the id "poison".
type away struct {
	*ledger.Memory

	gone  atomic.Bool
	after bool // a step is taken although its answer is lost
	asked atomic.Int32
}

func (a *away) reach(id string, take func() error) error {
	a.asked.Add(1)
	switch {
	case id == "poison":
		return errors.New("no such thing")
	case !a.gone.Load():
		return take()
	case a.after:
		return errors.Join(errAway, take())
	default:
		return errAway
	}
}

func (a *away) Settle(ctx context.Context, account, id string, amount catalog.Money, now time.Time) error {
	return a.reach(id, func() error { return a.Memory.Settle(ctx, account, id, amount, now) })
}

func (a *away) Release(ctx context.Context, account, id string) error {
	return a.reach(id, func() error { return a.Memory.Release(ctx, account, id) })
}

func (a *away) Count(ctx context.Context, now time.Time, e ledger.Entry) error {
	return a.reach(e.ID, func() error { return a.Memory.Count(ctx, now, e) })
}

const (
	month = "search/2026-11"
	few   = catalog.Money(10)
)

var then = time.Date(2026, 11, 24, 23, 59, 0, 0, time.UTC)

// patience is a patient ledger over one that can be away.
type patience struct {
	*ledger.Patient

	t     *testing.T
	inner *away
	log   bytes.Buffer
}

func newPatience(t *testing.T) *patience {
	p := &patience{t: t, inner: &away{Memory: ledger.NewMemory()}}
	p.Patient = ledger.NewPatient(p.inner, slog.New(slog.NewTextHandler(&p.log, nil)))
	return p
}

func (p *patience) settle(id string) {
	p.t.Helper()
	if err := p.Settle(p.t.Context(), month, id, few, then); err != nil {
		p.t.Errorf("settle %s: %v", id, err)
	}
}

func (p *patience) reserve(id string) {
	p.t.Helper()
	if ok, err := p.Reserve(p.t.Context(), month, id, 2*few, ledger.MaxMoney, then, then); !ok || err != nil {
		p.t.Errorf("reserve %s: %t, %v", id, ok, err)
	}
}

func (p *patience) stands(spent, reserved catalog.Money) {
	p.t.Helper()
	if got, err := p.Spent(p.t.Context(), month); err != nil || got != (ledger.Spent{Spent: spent, Reserved: reserved}) {
		p.t.Errorf("the account is %+v, %v, want %d and %d", got, err, spent, reserved)
	}
}

// logged checks that each of the lines was logged once, in this order, and no other.
func (p *patience) logged(want ...string) {
	p.t.Helper()
	lines := strings.Split(strings.TrimSpace(p.log.String()), "\n")
	if len(lines) != len(want) {
		p.t.Errorf("logged %d lines, want %d:\n%s", len(lines), len(want), p.log.String())
		return
	}
	for i, part := range want {
		if !strings.Contains(lines[i], part) {
			p.t.Errorf("logged %s, want %s", lines[i], part)
		}
	}
}

func TestWhatIsSettledWhileTheStoreIsAwayIsWrittenAfter(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]bool{"nothing was written": false, "all was, and its answers were lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPatience(t)
				p.inner.after = after
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				go p.Run(ctx)
				for _, id := range []string{"a", "b", "c"} {
					p.reserve(id)
				}
				p.inner.gone.Store(true)
				p.settle("a")
				p.settle("b")
				e := ledger.Entry{ID: "a", Tenant: "search", Model: "m", Target: "x", Money: few, Usage: events.Usage{TotalTokens: 7}}
				if err := errors.Join(p.Release(t.Context(), month, "c"), p.Count(t.Context(), then, e)); err != nil {
					t.Error(err)
				}
				<-time.After(10*time.Second + time.Second/2)
				if n := p.inner.asked.Load(); n != 4+10 {
					t.Errorf("the store was asked %d times in ten seconds for four steps", n)
				}
				p.inner.gone.Store(false)
				<-time.After(time.Second)
				synctest.Wait()
				p.stands(2*few, 0)
				got, err := p.Totals(t.Context(), then, then.Add(time.Hour))
				if err != nil || len(got) != 1 || got[0].Day != "2026-11-24" || got[0].Attempts != 1 {
					t.Errorf("totals %+v, %v: want one on the day that it came to pass", got, err)
				}
				p.logged("cannot be written down", "is written down again\" steps=4 lost=0")
				p.inner.gone.Store(true)
				p.settle("d")
				p.inner.gone.Store(false)
				stop()
				synctest.Wait()
				p.stands(3*few, 0)
				p.logged("cannot be", "again", "cannot be", "again\" steps=1")
			})
		})
	}
}

func TestOneStepThatCannotBeTakenHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPatience(t)
		p.settle("poison")
		p.inner.gone.Store(true)
		p.settle("a")
		p.settle("b")
		p.inner.gone.Store(false)
		for range 2 {
			if err := p.Flush(t.Context()); err == nil {
				t.Error("there is nothing left that failed")
			}
		}
		p.stands(2*few, 0)
		<-time.After(ledger.Remembered)
		if err := p.Flush(t.Context()); err != nil {
			t.Errorf("it is kept for ever: %v", err)
		}
		p.logged("cannot be", "is lost", "steps=2 lost=1")
	})
}

func TestOfMoreThanIsKeptTheOldestIsLost(t *testing.T) {
	t.Parallel()
	p := newPatience(t)
	for i := range 3 {
		p.reserve(strconv.Itoa(i))
	}
	p.inner.gone.Store(true)
	for i := range 10_002 {
		p.settle(strconv.Itoa(i))
	}
	if err := p.Flush(t.Context()); !errors.Is(err, errAway) {
		t.Errorf("flush: %v", err)
	}
	p.inner.gone.Store(false)
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.stands(10_000*few, 2*2*few) // of the two that were lost their reservations stay
	p.logged("cannot be", "is lost", "steps=10000 lost=2")
}

func TestWhatIsStillKeptWhenTheProcessEndsIsSaid(t *testing.T) {
	t.Parallel()
	p := newPatience(t)
	p.inner.gone.Store(true)
	p.settle("a")
	p.settle("b")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	p.Run(ctx)
	p.logged("cannot be", `the process ends" steps=2`)
}

func TestWhatNoStoreTakesIsAnErrorAtOnce(t *testing.T) {
	t.Parallel()
	p := newPatience(t)
	if p.Settle(t.Context(), "", "a", 1, then) == nil || p.Settle(t.Context(), month, "a", -1, then) == nil ||
		p.Count(t.Context(), then, ledger.Entry{ID: "a"}) == nil {
		t.Error("no error")
	}
	if n := p.inner.asked.Load(); n != 0 || p.log.Len() > 0 {
		t.Errorf("asked %d times, logged %s", n, p.log.String())
	}
}

func TestReservationsAreNotPutOff(t *testing.T) {
	t.Parallel()
	server := &unreserving{ledger.NewMemory()}
	p := ledger.NewPatient(server, slog.New(slog.DiscardHandler))
	if ok, err := p.Reserve(t.Context(), month, "a", 1, 10, then, then); ok || !errors.Is(err, errAway) {
		t.Errorf("reserve: %t, %v", ok, err)
	}
}

// unreserving is a ledger that fails to reserve.
type unreserving struct{ *ledger.Memory }

func (unreserving) Reserve(
	context.Context, string, string, catalog.Money, catalog.Money, time.Time, time.Time,
) (bool, error) {
	return false, fmt.Errorf("ledger: %w", errAway)
}
