package schedule_test

import (
	"encoding/json"
	"strings"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/schedule"
)

// subscribed returns a request with a receiver of each kind.
func subscribed(n int) events.Event {
	in := request(n)
	in.CallbackURL = "https://first.example.com/"
	in.Callbacks = events.EncodeCallbacks([]events.CallbackRequest{
		{URL: "https://second.example.com/", Events: []string{"completed"}},
		{URL: "https://third.example.com/", Events: []string{"attempt_failed"}},
	})
	return in
}

func TestReceiversThatWantToAreToldOfAFailedAttempt(t *testing.T) {
	t.Parallel()
	r := newRig(t, configured(2, map[string]int{"a": 1, "bb": 1}), schedule.Config{})
	failed := failedAt(subscribed(1), "a", events.CodeTimeout)
	failed.ErrorMessage = "took too long"
	next, told := r.do(failed)
	if next.Type != events.Scheduled || len(told) != 1 {
		t.Fatalf("emitted %v and %v", next, told)
	}
	got := told[0]
	if got.ID != failed.ID+"-to-3" || got.CallbackURL != "https://third.example.com/" || got.Type != events.AttemptFailed || got.Subscriber != 3 {
		t.Errorf("told %+v", got)
	}
	const want = `{"message_id":"ID","status":"running","model_id":"m","target":"a","attempt":1,"error":{"code":"timeout","message":"took too long"}}`
	if string(got.Data) != strings.Replace(want, "ID", failed.Subject, 1) || !json.Valid(got.Data) || got.DataSchema != "" {
		t.Errorf("the news are %s, want %s", got.Data, want)
	}
	if _, again := r.do(failed); len(again) != 1 || again[0].ID != got.ID {
		t.Errorf("told again as %v", again)
	}
}

func TestTheLastAttemptIsToldOfBesideTheFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t, configured(1, map[string]int{"a": 1}), schedule.Config{})
	last, told := r.do(failedAt(subscribed(1), "a", events.CodeInvalidRequest))
	if last.Type != events.Failed || last.Subscriber != 0 || last.Callbacks == "" || len(told) != 1 {
		t.Errorf("emitted %v and %v", last, told)
	}
}

func TestAnAttemptWithoutACallIsNotToldOf(t *testing.T) {
	t.Parallel()
	r := newRig(t, configured(2, map[string]int{"a": 1, "bb": 1}), schedule.Config{})
	r.one(subscribed(1)) // nothing failed yet
	r.one(bounced(subscribed(1), "a", now))
	plain := request(2)
	plain.CallbackURL = "https://first.example.com/"
	r.one(failedAt(plain, "a", events.CodeTimeout))
	spoiled := failedAt(subscribed(3), "a", events.CodeTimeout)
	spoiled.Callbacks = "no list"
	r.one(spoiled)
}
