package schedule_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// configured returns a catalog with one model m, its targets by weight, and a fallback model f with one target.
func configured(attempts int, weights map[string]int) *catalog.Catalog {
	m := &catalog.Model{ID: "m", Attempts: attempts, Fallback: []string{"gone", "f"}}
	for name, w := range weights {
		m.Targets = append(m.Targets, &catalog.Target{Name: name, Weight: w})
	}
	slices.SortFunc(m.Targets, func(a, b *catalog.Target) int { return len(a.Name) - len(b.Name) })
	return &catalog.Catalog{Models: map[string]*catalog.Model{
		"m": m,
		"f": {ID: "f", Attempts: 1, Targets: []*catalog.Target{{Name: "fallback", Weight: 1}}},
	}}
}

func request(n int) events.Event {
	r := events.Request{RequestID: fmt.Sprintf("r-%d", n), ModelID: "m"}
	body := fmt.Appendf(nil, `{"request_id":%q,"model_id":"m","prompt":"p","metadata":{"k":"v"}}`, r.RequestID)
	return events.New("t", r, events.Normal, body, now, now.Add(time.Hour))
}

// failedAt returns the event of an attempt that failed, after those before it.
func failedAt(in events.Event, target, code string) events.Event {
	out := in.Next(events.Schedule, events.Scheduled, in.Attempt+1, now).Next(events.Infer, events.AttemptFailed, in.Attempt+1, now)
	out.Target, out.ErrorCode = target, code
	out.Tried = append(slices.Clone(in.Tried), target)
	out.Begun++
	return out
}

// cannot returns the event of an attempt at a target that cannot do what is asked.
func cannot(in events.Event, target string) events.Event {
	out := failedAt(in, target, events.CodeUnsupported)
	out.Begun--
	out.ErrorMessage = "it calls no tools"
	return out
}

func handle(t *testing.T, c *catalog.Catalog, in events.Event, at time.Time) events.Event {
	t.Helper()
	h := schedule.New(schedule.Config{Catalog: func() *catalog.Catalog { return c }, Now: func() time.Time { return at }})
	out, err := h(t.Context(), in)
	if err != nil || len(out) != 1 {
		t.Fatalf("schedule: %d events, %v, want one", len(out), err)
	}
	return out[0]
}

func TestScheduledCarriesTheRequestOn(t *testing.T) {
	in := request(1)
	out := handle(t, configured(4, map[string]int{"a": 1}), in, now)
	if out.Type != events.Scheduled || out.Target != "a" || out.Attempt != 1 || out.ID != in.Subject+"-scheduled-1" {
		t.Errorf("emitted %+v", out)
	}
	if !bytes.Equal(out.Data, in.Data) || out.CausationID != in.ID || out.Source != "/baton/schedule" || !out.NotBefore.IsZero() {
		t.Errorf("emitted %+v", out)
	}
}

func TestSharesFollowTheWeights(t *testing.T) {
	const all = 100_000
	c := configured(4, map[string]int{"a": 8, "bb": 2, "ccc": 0})
	first, second := map[string]int{}, map[string]int{}
	for n := range all {
		in := request(n)
		out := handle(t, c, in, now)
		first[out.Target]++
		if again := handle(t, c, in, now); again.Target != out.Target {
			t.Fatalf("a repeat chose %s after %s", again.Target, out.Target)
		}
		second[handle(t, c, failedAt(in, out.Target, events.CodeTimeout), now).Target]++
	}
	for target, want := range map[string]float64{"a": 0.8, "bb": 0.2, "ccc": 0} {
		if got := float64(first[target]) / all; math.Abs(got-want) > 0.01 {
			t.Errorf("%s got %.4f of the requests, want %.2f", target, got, want)
		}
	}
	if second["a"] != first["bb"] || second["bb"] != first["a"] {
		t.Errorf("after %v failed, the second attempts went to %v", first, second)
	}
}

func TestTargetsAreTriedThenFallbacksThenAgainAfterAPause(t *testing.T) {
	c := configured(5, map[string]int{"a": 1, "bb": 0})
	in := request(1)
	for n, want := range []string{"a", "bb", "fallback"} {
		out := handle(t, c, in, now)
		if out.Target != want || !out.NotBefore.IsZero() {
			t.Fatalf("attempt %d goes to %s at %v, want %s at once", n+1, out.Target, out.NotBefore, want)
		}
		in = failedAt(in, want, events.CodeUnavailable)
	}
	out := handle(t, c, in, now)
	if out.Target != "a" || out.NotBefore.Before(now.Add(250*time.Millisecond)) || out.NotBefore.After(now.Add(500*time.Millisecond)) {
		t.Errorf("the fourth attempt goes to %s at %v, want a after a pause", out.Target, out.NotBefore)
	}
	in = failedAt(in, "a", events.CodeUnavailable)
	in = failedAt(in, "bb", events.CodeUnavailable)
	expectFailed(t, handle(t, c, in, now), events.CodeAttemptsSpent)
}

func TestWhatCannotPassIsNotTriedTwice(t *testing.T) {
	c := configured(5, map[string]int{"a": 1})
	in := failedAt(failedAt(request(1), "a", events.CodeTimeout), "fallback", events.CodeQuotaExhausted)
	expectFailed(t, handle(t, c, in, now), events.CodeAttemptsSpent)
}

func TestFailures(t *testing.T) {
	c := configured(2, map[string]int{"a": 1, "bb": 1})
	empty, one := configured(2, nil), configured(5, map[string]int{"a": 1})
	empty.Models["m"].Fallback = nil
	other := request(1)
	other.Model = "unknown"
	soon := failedAt(failedAt(request(1), "a", events.CodeTimeout), "fallback", events.CodeTimeout)
	soon.Expiry = now.Add(time.Millisecond)
	for name, tc := range map[string]struct {
		catalog *catalog.Catalog
		in      events.Event
		at      time.Time
		want    string
	}{
		"a model that is no longer offered":      {c, other, now, events.CodeModelNotOffered},
		"a model without targets":                {empty, request(1), now, events.CodeNoTarget},
		"a deadline that passed":                 {c, request(1), now.Add(time.Hour), events.CodeDeadline},
		"a deadline that leaves no time":         {configured(9, map[string]int{"a": 1}), soon, now, events.CodeDeadline},
		"a request that the model refuses":       {c, failedAt(request(1), "a", events.CodeInvalidRequest), now, events.CodeInvalidRequest},
		"content that the model refuses":         {c, failedAt(request(1), "a", events.CodeContentRefused), now, events.CodeContentRefused},
		"an answer that is too large":            {c, failedAt(request(1), "a", events.CodeOutputTooLarge), now, events.CodeOutputTooLarge},
		"a request that no target can do":        {one, cannot(cannot(request(1), "a"), "fallback"), now, events.CodeUnsupported},
		"one that a target can do which failed":  {one, cannot(failedAt(request(1), "a", events.CodeQuotaExhausted), "fallback"), now, events.CodeAttemptsSpent},
		"a request whose attempts are all spent": {c, failedAt(failedAt(request(1), "a", events.CodeTimeout), "bb", events.CodeTimeout), now, events.CodeAttemptsSpent},
	} {
		t.Run(name, func(t *testing.T) {
			expectFailed(t, handle(t, tc.catalog, tc.in, tc.at), tc.want)
		})
	}
}

func TestTheCallerIsToldWhatNoTargetCanDo(t *testing.T) {
	out := handle(t, configured(5, map[string]int{"a": 1}), cannot(cannot(request(1), "a"), "fallback"), now)
	if !strings.Contains(string(out.Data), `"error":{"code":"unsupported","message":"it calls no tools"}`) {
		t.Errorf("the result is %s", out.Data)
	}
}

func TestDataThatIsNoRequestIsRefused(t *testing.T) {
	in := failedAt(request(1), "a", events.CodeInvalidRequest)
	in.Data = []byte("{")
	h := schedule.New(schedule.Config{
		Catalog: func() *catalog.Catalog { return configured(1, map[string]int{"a": 1}) }, Now: func() time.Time { return now },
	})
	_, err := h(t.Context(), in)
	if o := (hop.Limits{}).Classify(in, err); o.Kind != hop.Dead || o.Reason != events.ReasonUndecodable {
		t.Errorf("%v is classified as %+v", errors.Unwrap(err), o)
	}
}

// expectFailed checks the terminal event and the result in it.
func expectFailed(t *testing.T, out events.Event, code string) {
	t.Helper()
	if out.Type != events.Failed || out.ErrorCode != code {
		t.Fatalf("emitted %s with %q, want failed with %q", out.Type.Step(), out.ErrorCode, code)
	}
	var r events.Result
	if err := json.Unmarshal(out.Data, &r); err != nil {
		t.Fatal(err)
	}
	if r.Status != events.StatusFailed || r.Error == nil || r.Error.Code != code || r.MessageID != out.Subject ||
		r.RequestID == "" || r.Attempts != out.Begun || r.Metadata["k"] != "v" || r.Timings.AcceptedAt != now {
		t.Errorf("the result is %s", out.Data)
	}
}
