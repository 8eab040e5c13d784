package callback_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/callback"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/results"
)

// look returns how the request ended.
func (c *chain) look(messageID string) *results.Ending {
	c.t.Helper()
	if _, err := c.store.Accept(c.t.Context(), messageID, results.Acceptance{Tenant: "search"}); err != nil {
		c.t.Fatal(err)
	}
	st, err := c.store.Look(c.t.Context(), messageID)
	if err != nil {
		c.t.Fatal(err)
	}
	return st.Ended
}

// failedUntried returns a failed event of a request that no attempt was made for.
func failedUntried(base string) events.Event {
	e := completed(base)
	e.Attempt, e.Target = 0, ""
	e = e.Next(events.Schedule, events.Failed, 0, accepted)
	e.ErrorCode = events.CodeNoTarget
	e.Data = result(e.Subject, events.StatusFailed, "")
	return e
}

func TestAResultWithoutACallbackIsStoredAndThatIsAll(t *testing.T) {
	t.Parallel()
	c := setup(t, func(_ *callback.Config, cat *catalog.Catalog) { cat.Tenants = nil }) // nothing is signed
	for in, want := range map[*events.Event]events.Status{
		new(completed("")): events.StatusCompleted, new(failedUntried("")): events.StatusFailed,
	} {
		in.Subject += string(want)
		wantDone(t, c.handle(t.Context(), *in))
		ended := c.look(in.Subject)
		if ended == nil || ended.Status != want || ended.EventID != in.ID || !bytes.Equal(ended.Body, in.Data) {
			t.Errorf("got %+v, want the event's %s result", ended, want)
		}
	}
}

func TestTheResultIsStoredBeforeItIsDelivered(t *testing.T) {
	t.Parallel()
	c := setup(t)
	in := completed(refusing(t))
	wantRetry(t, c.handle(t.Context(), in), 5*time.Second)
	if ended := c.look(in.Subject); ended == nil || !bytes.Equal(ended.Body, in.Data) {
		t.Errorf("got %+v, want the result", ended)
	}
}

func TestOnlyTheEventThatEndedTheRequestIsDelivered(t *testing.T) {
	t.Parallel()
	c, r := setup(t), newReceiver(t, status(http.StatusNoContent))
	first := completed(r.URL)
	wantDone(t, c.handle(t.Context(), first))
	second := first.Next(events.Schedule, events.Failed, 2, accepted)
	second.Data = result(second.Subject, events.StatusFailed, "")
	wantDone(t, c.handle(t.Context(), second))
	if got := r.got(); len(got) != 1 || got[0].body != string(first.Data) {
		t.Errorf("the receiver got %d posts, want only the first event's", len(got))
	}
}

func TestEveryTryDeliversTheBytesThatWereStoredFirst(t *testing.T) {
	t.Parallel()
	answers := make(chan int, 3)
	c := setup(t)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(<-answers) })
	in := completed(r.URL)
	in.Data = []byte("{ \"output\": \"a < b & \\\"c\\\" \u2028 é 漢 \\\\ %20\" }\n") // as no encoder of ours would write it
	answers <- http.StatusInternalServerError
	wantRetry(t, c.handle(t.Context(), in), 5*time.Second)

	// The attempt was made twice after a crash: the same event, another output. The first one stored stays.
	again := in.Again(accepted)
	again.Data = result(in.Subject, events.StatusCompleted, "another output")
	o := c.handle(t.Context(), again)
	if o.Kind != hop.Retry || o.As == nil || o.As.Tries != again.Tries || !bytes.Equal(o.As.Data, in.Data) {
		t.Fatalf("got %+v, want the event to go on with what was stored first", o)
	}
	again = o.As.Anew()
	answers <- http.StatusInternalServerError
	wantRetry(t, c.handle(t.Context(), again), 5*time.Minute)
	answers <- http.StatusOK
	wantDone(t, c.handle(t.Context(), again.Again(accepted)))

	ended := c.look(in.Subject)
	for i, p := range r.got() {
		if p.body != string(in.Data) || p.body != string(ended.Body) {
			t.Errorf("try %d delivered\n%s, stored is\n%s, the event has\n%s", i, p.body, ended.Body, in.Data)
		}
		if id := p.header.Get("webhook-id"); id != in.ID {
			t.Errorf("try %d has webhook-id %q, want %q", i, id, in.ID)
		}
	}
}

func TestARequestThatNoAttemptWasMadeForIsClaimedFirst(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		begun *results.Beginning
		posts int
	}{
		{"nothing was before", nil, 1},
		{"it was this run's already", &results.Beginning{Run: completed("").Run, At: accepted}, 1},
		{"it was canceled", &results.Beginning{Canceled: true, At: accepted}, 0},
		{"it is another run's", &results.Beginning{Run: "another", At: accepted}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, r := setup(t), newReceiver(t, status(http.StatusNoContent))
			in := failedUntried(r.URL)
			if tc.begun != nil {
				if _, err := c.store.Begin(t.Context(), in.Subject, *tc.begun); err != nil {
					t.Fatal(err)
				}
			}
			for range tc.posts + 1 { // a repeat of the event is treated as the event was
				wantDone(t, c.handle(t.Context(), in))
			}
			if got := len(r.got()); got != tc.posts*2 {
				t.Errorf("the receiver got %d posts, want %d", got, tc.posts*2)
			}
			if ended := c.look(in.Subject); (ended != nil) != (tc.posts > 0) {
				t.Errorf("the end that is stored is %+v", ended)
			}
		})
	}
}

func TestARequestThatWasAttemptedIsNotClaimedAgain(t *testing.T) {
	t.Parallel()
	c, r := setup(t), newReceiver(t, status(http.StatusNoContent))
	in := completed(r.URL)
	if _, err := c.store.Begin(t.Context(), in.Subject, results.Beginning{Run: in.Run, At: accepted}); err != nil {
		t.Fatal(err)
	}
	wantDone(t, c.handle(t.Context(), in))
	if got := len(r.got()); got != 1 {
		t.Errorf("the receiver got %d posts, want 1", got)
	}
}

var errStore = errors.New("no answer")

// broken is a store that cannot be reached in one of its operations.
type broken struct {
	*results.Store
	begin, end bool
}

func (b broken) Begin(ctx context.Context, id string, x results.Beginning) (results.Beginning, error) {
	if b.begin {
		return results.Beginning{}, errStore
	}
	return b.Store.Begin(ctx, id, x)
}

func (b broken) End(ctx context.Context, id string, x results.Ending) (results.Ending, error) {
	if b.end {
		return results.Ending{}, errStore
	}
	return b.Store.End(ctx, id, x)
}

func TestNothingIsDeliveredThatIsNotStored(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]broken{"the claim fails": {begin: true}, "the result cannot be stored": {end: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store.Store = results.New(results.NewMemory()).WithClock(func() time.Time { return accepted })
			r := newReceiver(t, status(http.StatusNoContent))
			c := setup(t, func(cfg *callback.Config, _ *catalog.Catalog) { cfg.Results = store })
			o := c.handle(t.Context(), failedUntried(r.URL))
			if o.Kind != hop.Return || !errors.Is(o.Err, errStore) {
				t.Errorf("got %s: %v, want it given back for %v", o.Kind, o.Err, errStore)
			}
			if got := len(r.got()); got != 0 {
				t.Errorf("the receiver got %d posts, want none", got)
			}
		})
	}
}

func TestAnEventThatIsNoResultIsRefused(t *testing.T) {
	t.Parallel()
	c := setup(t)
	in := completed("")
	in.Type = events.Scheduled
	wantDead(t, c.handle(t.Context(), in), events.ReasonUnroutable)
	in = completed("")
	in.Data = nil
	wantDead(t, c.handle(t.Context(), in), events.ReasonUndecodable)
}
