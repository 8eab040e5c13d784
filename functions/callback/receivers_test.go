package callback_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/callback"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/results"
)

// several returns a completed event for two receivers that want it and one that does not.
func several(first, second string) events.Event {
	in := completed(first)
	in.Callbacks = events.EncodeCallbacks([]events.CallbackRequest{
		{URL: second}, {URL: "https://third.example.com/", Events: []string{"failed"}},
	})
	return in
}

func TestEachReceiverOfSeveralIsDeliveredToByItself(t *testing.T) {
	t.Parallel()
	first, second := newReceiver(t, status(http.StatusGone)), newReceiver(t, status(http.StatusNoContent))
	c := setup(t)
	in := several(first.URL, second.URL)
	copies, err := c.Handle(t.Context(), in)
	if err != nil || len(copies) != 2 || len(first.got())+len(second.got()) > 0 {
		t.Fatalf("emitted %v, %v", copies, err)
	}
	stood, err := c.store.End(t.Context(), in.Subject, results.Ending{EventID: "another", Body: []byte("{}")})
	if err != nil || stood.EventID != in.ID || !bytes.Equal(stood.Body, in.Data) {
		t.Errorf("stored %v, %v", stood, err)
	}
	wantDead(t, c.handle(t.Context(), copies[0]), events.ReasonGone)
	wantDone(t, c.handle(t.Context(), copies[1]))
	for i, r := range []*receiver{first, second} {
		got := r.got()
		if len(got) != 1 || got[0].body != string(in.Data) {
			t.Fatalf("receiver %d got %v", i+1, got)
		}
		if id := got[0].header.Get("Webhook-Id"); id != copies[i].ID || got[0].header.Get("Ce-Id") != id || id == in.ID {
			t.Errorf("receiver %d got the id %q", i+1, id)
		}
		if err := verifier(t, newSecret).Verify(got[0].header, []byte(got[0].body), time.Now()); err != nil {
			t.Error(err)
		}
	}
}

func TestARepeatEmitsTheSameCopies(t *testing.T) {
	t.Parallel()
	c := setup(t)
	in := several("https://first.example.com", "https://second.example.com")
	before, err := c.Handle(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	again := in
	again.Data = []byte(`{"other":"bytes"}`) // a call that was repeated makes another answer
	_, err = c.Handle(t.Context(), again)
	o := hop.Limits{}.Classify(again, err)
	if o.As == nil {
		t.Fatalf("got %v, want it to go on with what is stored", err)
	}
	after, err := c.Handle(t.Context(), *o.As)
	if err != nil || len(after) != len(before) {
		t.Fatalf("emitted %v, %v", after, err)
	}
	for i := range after {
		if after[i].ID != before[i].ID || !bytes.Equal(after[i].Data, before[i].Data) {
			t.Errorf("copy %d is %v, and was %v", i+1, after[i], before[i])
		}
	}
}

func TestACopyIsDeliveredWithoutStoring(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(http.StatusOK))
	away := errors.New("away")
	c := setup(t, func(cfg *callback.Config, _ *catalog.Catalog) { cfg.Results = absent{away} })
	in := completed("").Next(events.Infer, events.AttemptFailed, 1, accepted).For(2, r.URL)
	in.Data = []byte(`{"status":"running"}`)
	wantDone(t, c.handle(t.Context(), in))
	if got := r.got(); len(got) != 1 || got[0].body != string(in.Data) || !strings.Contains(got[0].header.Get("Ce-Type"), "attempt_failed") {
		t.Errorf("got %v", got)
	}
}

// absent is a results store that is away.
type absent struct{ err error }

func (r absent) Begin(context.Context, string, results.Beginning) (results.Beginning, error) {
	return results.Beginning{}, r.err
}

func (r absent) End(context.Context, string, results.Ending) (results.Ending, error) {
	return results.Ending{}, r.err
}

func TestReceiversThatCannotBeReadAreADeadLetterAfterTheResultIsStored(t *testing.T) {
	t.Parallel()
	c := setup(t)
	in := completed("https://first.example.com")
	in.Callbacks = "no list"
	wantDead(t, c.handle(t.Context(), in), events.ReasonUndecodable)
	stood, err := c.store.End(t.Context(), in.Subject, results.Ending{EventID: "another", Body: []byte("{}")})
	if err != nil || stood.EventID != in.ID {
		t.Errorf("stored %v, %v", stood, err)
	}
}
