package replay_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/replay"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

// way returns the events of a request's way: an attempt that failed, and one that did not.
func way(t *testing.T, requestID, cacheKey string) []events.Event {
	t.Helper()
	r := events.Request{RequestID: requestID, ModelID: "m", CallbackURL: "https://hooks.example.com/secret-path"}
	requested := events.New("tenant", r, events.High, []byte(`{"prompt":"secret prompt"}`), at, at.Add(time.Hour))
	requested.CacheKey, requested.TraceParent = cacheKey, "secret-trace"
	first := requested.Next(events.Schedule, events.Scheduled, 1, at.Add(time.Millisecond))
	first.Target = "a"
	failed := first.Next(events.Infer, events.AttemptFailed, 1, at.Add(time.Second))
	failed.ErrorCode, failed.ErrorMessage, failed.Tried, failed.Begun = events.CodeTimeout, "secret message", []string{"a"}, 1
	second := failed.Next(events.Schedule, events.Scheduled, 2, at.Add(2*time.Second))
	second.Target, second.NotBefore = "b", at.Add(3*time.Second)
	completed := second.Next(events.Infer, events.Completed, 2, at.Add(4*time.Second))
	data, err := events.Result{
		MessageID: requested.Subject, Status: events.StatusCompleted, Output: "secret output", FinishReason: "stop",
		Usage: &events.Usage{PromptTokens: 3, CompletionTokens: 4, TotalTokens: 7}, Timings: events.Timings{InferenceMS: 900},
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	completed.Data = data
	return []events.Event{requested, first, failed, second, completed}
}

func record(t *testing.T, all ...events.Event) (string, *replay.Recorder) {
	t.Helper()
	var out bytes.Buffer
	r := replay.NewRecorder(&out)
	for _, e := range all {
		if err := r.Record(e); err != nil {
			t.Fatal(err)
		}
	}
	return out.String(), r
}

func TestATraceSaysWhenRequestsCameAndHowTheyWent(t *testing.T) {
	t.Parallel()
	all := way(t, "r1", "")
	text, r := record(t, all...)
	id := all[0].Subject
	want := strings.ReplaceAll(strings.Join([]string{
		`{"v":1,"at":"2026-01-02T03:04:05.000000006Z","event":"requested","message_id":"ID","tenant":"tenant","priority":"high","model":"m","expiry":"2026-01-02T04:04:05.000000006Z"}`,
		`{"v":1,"at":"2026-01-02T03:04:05.001000006Z","event":"scheduled","message_id":"ID","tenant":"tenant","priority":"high","model":"m","target":"a","attempt":1,"expiry":"2026-01-02T04:04:05.000000006Z"}`,
		`{"v":1,"at":"2026-01-02T03:04:06.000000006Z","event":"attempt_failed","message_id":"ID","tenant":"tenant","priority":"high","model":"m","target":"a","attempt":1,"code":"timeout","expiry":"2026-01-02T04:04:05.000000006Z"}`,
		`{"v":1,"at":"2026-01-02T03:04:07.000000006Z","event":"scheduled","message_id":"ID","tenant":"tenant","priority":"high","model":"m","target":"b","attempt":2,"expiry":"2026-01-02T04:04:05.000000006Z","not_before":"2026-01-02T03:04:08.000000006Z"}`,
		`{"v":1,"at":"2026-01-02T03:04:09.000000006Z","event":"completed","message_id":"ID","tenant":"tenant","priority":"high","model":"m","target":"b","attempt":2,"expiry":"2026-01-02T04:04:05.000000006Z","usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7},"inference_ms":900,"finish_reason":"stop"}`,
	}, "\n")+"\n", "ID", id)
	if text != want {
		t.Errorf("recorded\n%s\nwant\n%s", text, want)
	}
	if r.Lines() != 5 || r.Requests() != 1 {
		t.Errorf("%d lines of %d requests", r.Lines(), r.Requests())
	}
	m := read(t, text).Messages[0]
	if len(m.Attempts) != 2 || m.Attempts[0].Code != events.CodeTimeout || m.Attempts[1].Service != 900*time.Millisecond || m.End == nil || m.End.Usage.TotalTokens != 7 {
		t.Errorf("read back as %+v, %+v", m, m.Attempts)
	}
}

func TestATraceHasNothingOfTheCaller(t *testing.T) {
	t.Parallel()
	text, _ := record(t, way(t, "r1", "secret-key")...)
	if strings.Contains(text, "secret") || strings.Contains(text, "hooks") {
		t.Errorf("recorded\n%s", text)
	}
}

func TestEqualRequestsAreMarkedAlikeInOneTraceAlone(t *testing.T) {
	t.Parallel()
	one, _ := record(t, way(t, "r1", "key")[0], way(t, "r2", "key")[0], way(t, "r3", "other")[0], way(t, "r4", "")[0])
	same := func(text string) (labels []string) {
		for _, m := range read(t, text).Messages {
			labels = append(labels, m.Same)
		}
		return labels
	}
	count := map[string]int{}
	for _, l := range same(one) {
		count[l]++
	}
	if count[""] != 1 || len(count) != 3 {
		t.Errorf("marked %v", count)
	}
	again, _ := record(t, way(t, "r1", "key")[0])
	if label := same(again)[0]; count[label] != 0 || label == "" {
		t.Errorf("another trace has the mark %q too", label)
	}
}

func TestWhatIsNoStepIsPassedOver(t *testing.T) {
	t.Parallel()
	all := way(t, "r1", "")
	foreign := all[0]
	foreign.Type = "com.example.other"
	unusable := all[4]
	unusable.Data = []byte("{")
	text, r := record(t, all[1].Again(at), all[1].Parked(at), all[1].AsDead(events.DeadLetter{}), all[1].AsShadow("c", at), foreign)
	if text != "" || r.Lines() != 0 {
		t.Errorf("recorded\n%s", text)
	}
	if text, _ := record(t, unusable); !strings.Contains(text, `"completed"`) {
		t.Errorf("a result that cannot be read is recorded as %q", text)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestATraceThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	if err := replay.NewRecorder(full{}).Record(way(t, "r1", "")[0]); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("%v", err)
	}
}
