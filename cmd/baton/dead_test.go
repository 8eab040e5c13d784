package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/hop"
)

// buried returns a transport with n dead letters, of which each second one is of the tenant b and died at the callback.
func buried(t *testing.T, n int) *membus.Bus {
	t.Helper()
	bus := membus.New(membus.Options{Wait: time.Millisecond})
	for i := range n {
		tenant, died := "a", events.DeadLetter{Hop: events.Schedule, Reason: events.ReasonExhausted, Detail: "no luck", Time: diedAt(i)}
		if i%2 == 1 {
			tenant, died = "b", events.DeadLetter{Hop: events.Callback, Reason: events.ReasonUndelivered, Time: diedAt(i)}
		}
		r := events.Request{RequestID: fmt.Sprint("r", i), ModelID: "m", CallbackURL: "https://user:pass@hooks.example.com/in?token=tok"}
		e := events.New(tenant, r, events.Normal, []byte(`{"prompt":"a secret prompt"}`), diedAt(i), diedAt(i).Add(time.Hour))
		e.Tries = 11
		if err := bus.Publish(t.Context(), e.AsDead(died)); err != nil {
			t.Fatal(err)
		}
	}
	return bus
}

func diedAt(i int) time.Time { return time.Date(2026, 1, 2, 3, i, 0, 0, time.UTC) }

// quiet returns a console and what it prints.
func quiet() (c *console, out, stderr *output) {
	out, stderr = &output{}, &output{}
	return &console{in: strings.NewReader(""), out: out, err: stderr, log: slog.New(slog.DiscardHandler)}, out, stderr
}

// left returns the dead letters that there are.
func left(t *testing.T, bus hop.DeadLetters) []events.Event {
	t.Helper()
	var all []events.Event
	for l, err := range bus.DeadLetters(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l.Event)
	}
	return all
}

// waiting takes out and returns the events that wait for schedule.
func waiting(t *testing.T, bus *membus.Bus) []events.Event {
	t.Helper()
	var all []events.Event
	err := bus.Receive(t.Context(), events.Lane{Hop: events.Schedule, Priority: events.Normal}, 100, func(d hop.Delivery) {
		all = append(all, d.Event)
		_ = d.Ack(t.Context())
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDeadListShowsWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	bus, now := buried(t, 5), diedAt(60)
	for name, tc := range map[string]struct {
		filter deadFilter
		lines  int
		last   string
	}{
		"all":         {deadFilter{}, 5, "5 dead letters."},
		"a hop":       {deadFilter{Hop: "callback"}, 2, "2 of 5 dead letters."},
		"a reason":    {deadFilter{Reason: "exhausted"}, 3, "3 of 5 dead letters."},
		"a tenant":    {deadFilter{Tenant: "b"}, 2, "2 of 5 dead letters."},
		"a duration":  {deadFilter{Since: "58m"}, 3, "3 of 5 dead letters."},
		"a time":      {deadFilter{Since: "2026-01-02T03:04:00Z"}, 1, "1 of 5 dead letters."},
		"all of them": {deadFilter{Hop: "callback", Reason: "exhausted"}, 0, "0 of 5 dead letters."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, out, _ := quiet()
			if err := (deadListCommand{deadFilter: tc.filter}).list(t.Context(), c, bus, now); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			want := tc.lines + 1
			if tc.lines > 0 {
				want++
			}
			if len(lines) != want || lines[len(lines)-1] != tc.last {
				t.Errorf("%d lines, want %d that end with %q:\n%s", len(lines), want, tc.last, out)
			}
			if strings.Contains(out.String(), "secret") {
				t.Errorf("the prompt is shown:\n%s", out)
			}
			c, out, _ = quiet()
			if err := (deadListCommand{deadFilter: tc.filter, JSON: true}).list(t.Context(), c, bus, now); err != nil {
				t.Fatal(err)
			}
			if got := len(slices.Collect(strings.Lines(out.String()))); got != tc.lines {
				t.Errorf("%d objects, want %d:\n%s", got, tc.lines, out)
			}
			for line := range strings.Lines(out.String()) {
				var l listed
				if err := json.Unmarshal([]byte(line), &l); err != nil || l.ID == "" || l.Tries != 12 || l.Model != "m" || l.DiedAt.IsZero() {
					t.Errorf("%v: %s", err, line)
				}
			}
		})
	}
}

func TestDeadFiltersThatAreWrongSaySo(t *testing.T) {
	t.Parallel()
	for filter, want := range map[deadFilter]string{
		{Hop: "deliver"}:     "want ingest, schedule, infer, callback or batch",
		{Reason: "bad luck"}: "undelivered",
		{Since: "yesterday"}: "want a duration such as 2h",
		{Since: "-2h"}:       "want a duration such as 2h",
	} {
		if _, err := filter.parse(diedAt(0)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", filter, err, want)
		}
	}
}

func TestDeadShowSaysWhatToDoAndKeepsTheCallersData(t *testing.T) {
	t.Parallel()
	bus := buried(t, 2)
	id := left(t, bus)[1].ID
	c, out, _ := quiet()
	if err := (deadShowCommand{ID: id}).show(t.Context(), c, bus, diedAt(61)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		id, "callback, 1h0m ago", "undelivered", meanings[events.ReasonUndelivered].says, meanings[events.ReasonUndelivered].remedy,
		"accepted    2026-01-02T03:01:00Z", "2026-01-02T04:01:00Z", "12 at callback", "none yet", "https://hooks.example.com/…", "--data",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, secret := range []string{"secret prompt", "pass", "tok"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is shown:\n%s", secret, out)
		}
	}
	c, out, _ = quiet()
	if err := (deadShowCommand{ID: id, Data: true, JSON: true}).show(t.Context(), c, bus, diedAt(61)); err != nil {
		t.Fatal(err)
	}
	var s struct {
		ID, Reason, Meaning, Remedy string
		History                     history
		Event                       struct{ Data struct{ Prompt string } }
	}
	if err := json.Unmarshal([]byte(out.String()), &s); err != nil || s.ID != id || s.Reason != "undelivered" || s.Meaning == "" ||
		s.Remedy == "" || s.History.Tries != 12 || s.Event.Data.Prompt != "a secret prompt" {
		t.Errorf("%v:\n%s", err, out)
	}
	if err := (deadShowCommand{ID: "nobody"}).show(t.Context(), c, bus, diedAt(61)); err == nil || !strings.Contains(err.Error(), "dead list") {
		t.Errorf("one that is not there: %v", err)
	}
}

func TestAttemptsAreToldInWords(t *testing.T) {
	t.Parallel()
	died := events.DeadLetter{Hop: events.Schedule, Reason: events.ReasonExhausted, Time: diedAt(9)}
	first := events.New("t", events.Request{RequestID: "r", ModelID: "m"}, events.Low, []byte("{}"), diedAt(0), diedAt(60)).
		Next(events.Schedule, events.Scheduled, 1, diedAt(1))
	first.Target = "a"
	failed := first.Next(events.Infer, events.AttemptFailed, 1, diedAt(2))
	failed.Begun, failed.Tried, failed.ErrorCode, failed.ErrorMessage = 1, []string{"a"}, events.CodeTimeout, "too slow"
	second := failed.Next(events.Schedule, events.Scheduled, 2, diedAt(3))
	second.Target = "b"
	for e, want := range map[*events.Event]string{
		new(failed.AsDead(died)): "1 attempt called a model; this is attempt 1, at a; failed at a",
		new(second.Next(events.Infer, events.Completed, 2, diedAt(4)).AsDead(died)): "2 attempts called a model; this is attempt 2, at b; failed at a",
	} {
		s := (deadShowCommand{}).of(*e, 1)
		if got := attempts(s.History); got != want || s.History.ErrorCode != e.ErrorCode {
			t.Errorf("%s: %q, want %q", e.Type.Step(), got, want)
		}
	}
}

func TestEveryReasonHasAMeaning(t *testing.T) {
	t.Parallel()
	for _, r := range []events.Reason{
		events.ReasonUndecodable, events.ReasonUnroutable, events.ReasonLoop, events.ReasonRefused, events.ReasonExhausted, events.ReasonPanic,
		events.ReasonCrashLoop, events.ReasonTooLarge, events.ReasonUndelivered, events.ReasonGone, events.ReasonBlocked, events.ReasonMisconfigure,
	} {
		if m := meanings[r]; !strings.HasSuffix(m.says, ".") || !strings.HasSuffix(m.remedy, ".") {
			t.Errorf("%s means %+v", r, m)
		}
	}
	if meaningOf("a new one").remedy == "" {
		t.Error("a reason that is not known has no remedy")
	}
}

func TestUndeliveredIsTrueOfAnySchedule(t *testing.T) {
	t.Parallel()
	says := meanings[events.ReasonUndelivered].says
	if !strings.Contains(says, "callbacks.retries") || strings.Contains(says, "hour") {
		t.Errorf("it says %q, and the schedule is the configuration's", says)
	}
}

func TestAges(t *testing.T) {
	t.Parallel()
	now := diedAt(0)
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 5 * time.Second: "5s", 61 * time.Second: "1m1s", 3*time.Hour + 4*time.Minute: "3h4m", 50 * time.Hour: "2d2h",
	} {
		if got := age(now.Add(-d), now); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
