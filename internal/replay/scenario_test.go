package replay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/replay"
)

// script writes a trace by hand.
type script struct {
	t *testing.T
	b strings.Builder
}

// line adds a line, some time after the beginning.
func (s *script) line(after time.Duration, l replay.Line) {
	s.t.Helper()
	l.V, l.At = replay.Version, at.Add(after)
	text, err := json.Marshal(l)
	if err != nil {
		s.t.Fatal(err)
	}
	s.b.Write(append(text, '\n'))
}

func (s *script) arrives(after time.Duration, id string, more ...func(*replay.Line)) {
	l := replay.Line{Event: "requested", MessageID: id, Priority: events.Normal, Model: "m"}
	for _, change := range more {
		change(&l)
	}
	s.line(after, l)
}

// attempt adds an attempt that is scheduled at once and ends after its time, without a code as the request's success.
func (s *script) attempt(after time.Duration, id, target string, n int, took time.Duration, code string) {
	s.line(after, replay.Line{Event: "scheduled", MessageID: id, Target: target, Attempt: n})
	ms := float64(took.Milliseconds())
	if code == "" {
		s.line(after+took, replay.Line{
			Event: "completed", MessageID: id, Target: target, Attempt: n, InferenceMS: &ms, FinishReason: "stop",
			Usage: &events.Usage{PromptTokens: 100, CompletionTokens: 10, TotalTokens: 110},
		})
		return
	}
	s.line(after+took, replay.Line{Event: "attempt_failed", MessageID: id, Target: target, Attempt: n, Code: code})
}

func (s *script) fails(after time.Duration, id, code string) {
	s.line(after, replay.Line{Event: "failed", MessageID: id, Code: code})
}

func (s *script) replay(config string) *replay.Report {
	s.t.Helper()
	return run(s.t, read(s.t, s.b.String()), replay.Options{Catalog: parsed(s.t, config), Seed: 1})
}

const single = "models: {m: {targets: [{name: a, api: simulated, price: {input: 10, output: 100}}]}}"

func TestEqualRequestsAreAnsweredOnce(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	for i := range 50 {
		id := fmt.Sprint("m", i)
		after := time.Duration(i) * time.Millisecond
		s.arrives(after, id, func(l *replay.Line) { l.Same = "same" })
		s.attempt(after, id, "a", 1, 100*time.Millisecond, "")
	}
	s.arrives(time.Hour, "late", func(l *replay.Line) { l.Same = "same" })
	s.attempt(time.Hour, "late", "a", 1, 100*time.Millisecond, "")
	with := s.replay(strings.Replace(single, "{m: {", "{m: {cache: 10m, ", 1)).Replayed
	if with.Attempts != 2 || with.Completed != 51 || with.Cached != 49 || target(with, "a").Cost != 4000 {
		t.Errorf("with a cache: %+v", with)
	}
	if with.Latency.Max > 3000 {
		t.Errorf("one that followed waited %.0f ms for a call of 100", with.Latency.Max)
	}
	without := s.replay(single).Replayed
	if without.Attempts != 51 || without.Cached != 0 {
		t.Errorf("without one: %+v", without)
	}
}

func TestACacheThatCannotBeReplayedIsNoted(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	s.arrives(0, "m1")
	s.attempt(0, "m1", "a", 1, time.Second, "")
	notes := s.replay(strings.Replace(single, "{m: {", "{m: {cache: 10m, ", 1)).Notes
	if len(notes) != 1 || !strings.Contains(notes[0], "cache answers none") {
		t.Errorf("noted: %q", notes)
	}
}

func TestARequestThatIsRefusedIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	for i := range 20 {
		id := fmt.Sprint("m", i)
		s.arrives(0, id)
		s.attempt(0, id, "a", 1, time.Second, "")
	}
	s.arrives(0, "bad")
	s.attempt(0, "bad", "b", 1, 50*time.Millisecond, events.CodeContentRefused)
	s.fails(50*time.Millisecond, "bad", events.CodeContentRefused)
	got := s.replay(single).Replayed
	if got.Failed != 1 || got.FailedByCode[events.CodeContentRefused] != 1 || got.Completed != 20 || got.Attempts != 21 {
		t.Errorf("replayed %+v", got)
	}
}

func TestADeadlineThatCutACallShortIsNotTheTargetsTime(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	for i := range 20 {
		id := fmt.Sprint("m", i)
		s.arrives(time.Duration(i)*time.Second, id)
		s.attempt(time.Duration(i)*time.Second, id, "a", 1, 500*time.Millisecond, "")
	}
	short := func(l *replay.Line) { l.Expiry = at.Add(100 * time.Millisecond) }
	s.arrives(0, "short", short)
	s.attempt(0, "short", "a", 1, 100*time.Millisecond, events.CodeDeadline)
	s.fails(100*time.Millisecond, "short", events.CodeDeadline)
	s.arrives(0, "never", func(l *replay.Line) { l.Expiry = at })
	s.fails(0, "never", events.CodeDeadline)

	got := s.replay(single).Replayed
	if got.FailedByCode[events.CodeDeadline] != 2 || got.Completed != 20 || got.Latency.Max != 500 {
		t.Errorf("replayed %+v", got)
	}
}

func TestAFailedCallsTimeIsWithoutItsWait(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	// Each waits two seconds before its call.
	for i := range 10 {
		id := fmt.Sprint("m", i)
		s.arrives(time.Duration(i)*time.Second, id)
		s.line(time.Duration(i)*time.Second, replay.Line{Event: "scheduled", MessageID: id, Target: "a", Attempt: 1})
		ms := 300.0
		s.line(time.Duration(i)*time.Second+2300*time.Millisecond, replay.Line{Event: "completed", MessageID: id, Target: "a", Attempt: 1, InferenceMS: &ms})
	}
	s.arrives(5*time.Second, "bad")
	s.attempt(5*time.Second, "bad", "a", 1, 2700*time.Millisecond, events.CodeUnavailable)
	s.attempt(8*time.Second, "bad", "b", 2, 400*time.Millisecond, "")
	rec := s.replay("models: {m: {targets: [{name: a, api: simulated}, {name: b, api: simulated, weight: 0}]}}").Recorded
	if f := target(rec, "a"); f.Attempts != 11 || !near(f.MeanMS, (10*300+700)/11.0, 0, 1) {
		t.Errorf("a is %+v", f)
	}
	if !near(rec.QueueShare, 22.0/(23+3.4), 0, 0.03) {
		t.Errorf("%.3f of the time was waiting", rec.QueueShare)
	}
}

func TestATargetThatIsOutIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	// For ten minutes, every second: a is out in the second to fourth, and b takes what failed there.
	for i := range 600 {
		id, after := fmt.Sprint("m", i), time.Duration(i)*time.Second
		s.arrives(after, id)
		if i < 120 || i > 300 {
			s.attempt(after, id, "a", 1, 100*time.Millisecond, "")
			continue
		}
		s.attempt(after, id, "a", 1, 5*time.Second, events.CodeTimeout)
		s.attempt(after+5*time.Second, id, "b", 2, 100*time.Millisecond, "")
	}
	r := s.replay("models: {m: {targets: [{name: a, api: simulated, weight: 100}, {name: b, api: simulated, weight: 0}]}}")
	if r.Recorded.Attempts != 781 || r.Recorded.Completed != 600 {
		t.Errorf("recorded %+v", r.Recorded)
	}
	got := r.Replayed
	if got.Completed != 600 || target(got, "a").Errors > 60 || target(got, "a").Errors < 5 || target(got, "b").Attempts < 120 {
		t.Errorf("with a breaker %+v", got)
	}
}

func TestWhatTheTraceHasOnlyAPartOfIsNoted(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	s.attempt(0, "before", "a", 1, 70*time.Millisecond, "")
	s.arrives(time.Second, "after")
	s.line(time.Second, replay.Line{Event: "scheduled", MessageID: "after", Target: "a", Attempt: 1})
	r := s.replay(single)
	if r.Recorded.Unfinished != 1 || r.Recorded.Completed != 0 || r.Replayed.Completed != 1 || r.Replayed.Latency.Max != 70 {
		t.Errorf("recorded %+v, replayed %+v", r.Recorded, r.Replayed)
	}
	for _, want := range []string{"1 request began before the trace did", "1 request had not ended"} {
		if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("no %q in %q", want, r.Notes)
		}
	}
}

func TestUsageIsTheRequestsOwnOrTheMeanOfItsModel(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	s.arrives(0, "m1")
	s.attempt(0, "m1", "a", 1, time.Second, "")
	s.arrives(0, "m2") // it failed, and would not have elsewhere
	s.attempt(0, "m2", "b", 1, time.Second, events.CodeUnavailable)
	s.fails(time.Second, "m2", events.CodeAttemptsSpent)
	// 100 tokens at 10 and 10 at 100 for a million are 2,000 millionths.
	got := s.replay(single).Replayed
	if got.Completed != 2 || got.Cost != 4000 {
		t.Errorf("replayed %+v", got)
	}
}

func TestAShadowThatTheTraceCannotKnowIsLeftOut(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	for i := range 50 {
		id, after := fmt.Sprint("m", i), time.Duration(i)*time.Second
		s.arrives(after, id)
		s.attempt(after, id, "a", 1, 100*time.Millisecond, "")
	}
	const shadowed = `models: {m: {targets: [{name: a, api: simulated, price: {input: 10, output: 100}},
	  {name: twin, api: openai, url: "https://twin.example.com/v1", shadow: 100%, price: {input: 10, output: 100}}]}}`
	trace := read(t, s.b.String())
	plain := s.replay(single)
	got := run(t, trace, replay.Options{Catalog: parsed(t, shadowed), Seed: 1})
	if !reflect.DeepEqual(got.Replayed, plain.Replayed) || !reflect.DeepEqual(got.Recorded, plain.Recorded) {
		t.Errorf("replayed %+v, without the shadow %+v", got.Replayed, plain.Replayed)
	}
	if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "Target twin takes copies") || !strings.Contains(got.Notes[0], "--assume twin=P50,P99,ERRORS") {
		t.Errorf("noted: %q", got.Notes)
	}

	assume := map[string]replay.Assumption{"twin": {P50: time.Second, P99: time.Second, ErrorRate: 0.1}}
	got = run(t, trace, replay.Options{Catalog: parsed(t, shadowed), Seed: 1, Assume: assume})
	if f := target(got.Replayed, "twin"); f.Shadows != 50 || f.Cost == 0 || got.Replayed.Cost != plain.Replayed.Cost+f.Cost {
		t.Errorf("with an assumption twin is %+v", f)
	}
	if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "twin is assumed") {
		t.Errorf("with an assumption: noted %q", got.Notes)
	}
}

func TestARunThatIsStoppedSaysSo(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := replay.Run(ctx, recorded(t), replay.Options{Catalog: changed(t)}); err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("%v", err)
	}
}

func TestHandOverTakesWhatItTook(t *testing.T) {
	t.Parallel()
	s := &script{t: t}
	for i := range 20 {
		id, after, ms := fmt.Sprint("m", i), time.Duration(i)*time.Second, 100.0
		s.arrives(after, id)
		s.line(after+30*time.Millisecond, replay.Line{Event: "scheduled", MessageID: id, Target: "a", Attempt: 1})
		s.line(after+150*time.Millisecond, replay.Line{Event: "completed", MessageID: id, Target: "a", Attempt: 1, InferenceMS: &ms})
	}
	got := s.replay(single).Replayed
	if got.Latency.P50 != 150 || !near(got.QueueShare, 1.0/3, 0, 0.001) {
		t.Errorf("replayed %+v", got)
	}
}
