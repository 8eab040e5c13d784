package events_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"

	"baton.dev/baton/events"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

func requested() events.Event {
	r := events.Request{RequestID: "a22a9414-ce8e-40a5-b1c3-639a54aab9ec", ModelID: "gpt-4-turbo", CallbackURL: "https://example.com/done"}
	return events.New("search", r, events.High, []byte(`{"model_id":"gpt-4-turbo","prompt":"hello"}`), at, at.Add(time.Hour))
}

// The same request of the same tenant is the same message, so that a repeat needs no memory to be recognised.
func ExampleMessageID() {
	fmt.Println(events.MessageID("search", "a22a9414-ce8e-40a5-b1c3-639a54aab9ec"))
	fmt.Println(events.MessageID("search", "a22a9414-ce8e-40a5-b1c3-639a54aab9ec"))
	fmt.Println(events.MessageID("ads", "a22a9414-ce8e-40a5-b1c3-639a54aab9ec"))
	// Output:
	// 3153fba9-4835-582c-b1d9-43cd859d1b91
	// 3153fba9-4835-582c-b1d9-43cd859d1b91
	// 107e3e46-4caf-5375-9a8d-66b78c9c6d15
}

// An event's lane is where it waits for the hop that takes it.
func ExampleEvent_Next() {
	in := requested()
	next := in.Next(events.Schedule, events.Scheduled, 1, at)
	next.Target = "openai-main"
	lane, err := next.Lane()
	fmt.Println(strings.TrimPrefix(next.ID, in.Subject), next.Source, lane, err)
	// Output: -scheduled-1 /baton/schedule infer/high/openai-main <nil>
}

func TestStepsHaveIDsOfTheirOwnThatRepeat(t *testing.T) {
	t.Parallel()
	in := requested()
	if _, err := uuid.Parse(in.Subject); err != nil {
		t.Errorf("the message id %q is no UUID", in.Subject)
	}
	seen := map[string]bool{in.ID: true}
	for _, typ := range []events.Type{events.Scheduled, events.AttemptFailed, events.Completed, events.Failed} {
		for attempt := 1; attempt <= 2; attempt++ {
			a, b := in.Next(events.Infer, typ, attempt, at), in.Next(events.Infer, typ, attempt, at.Add(time.Minute))
			if a.ID != b.ID || seen[a.ID] {
				t.Errorf("%s %d has the id %s and then %s", typ.Step(), attempt, a.ID, b.ID)
			}
			if strings.Contains(a.ID, ".") {
				t.Errorf("%s has a dot, which separates the parts of a webhook signature", a.ID)
			}
			seen[a.ID] = true
		}
	}
	if in.StorageID() == in.Again(at).StorageID() || in.Again(at).ID != in.ID {
		t.Error("another copy must have the same id and another storage id")
	}
}

func TestNextCarriesTheRequestAndNothingOfTheStep(t *testing.T) {
	t.Parallel()
	in := requested().Again(at)
	in.ErrorCode, in.ErrorMessage, in.Extra = events.CodeTimeout, "m", map[string]any{"kept": "k"}
	out := in.Next(events.Infer, events.Completed, 2, at.Add(time.Second))
	want := in
	want.ID, want.Source, want.Type, want.Time = in.Subject+"-completed-2", "/baton/infer", events.Completed, at.Add(time.Second)
	want.Attempt, want.CausationID, want.Hops = 2, in.ID, 1
	want.Tries, want.Copy, want.NotBefore, want.ErrorCode, want.ErrorMessage, want.DataSchema = 0, 0, time.Time{}, "", "", events.ResultSchemaURI
	if !reflect.DeepEqual(out, want) {
		t.Errorf("got\n%+v, want\n%+v", out, want)
	}
}

func TestAShadowIsAnotherEventThatNothingFollowsFrom(t *testing.T) {
	t.Parallel()
	e := requested().Next(events.Schedule, events.Scheduled, 1, at)
	e.Target, e.CacheKey, e.Apart = "a", "k", true
	s := e.AsShadow("b", at.Add(time.Minute))
	if s.ID != e.ID+"-shadow" || !s.Shadow || s.Target != "b" || s.CallbackURL != "" || s.CacheKey != "" || s.Expiry != at.Add(time.Minute) {
		t.Errorf("the shadow is %+v", s)
	}
	if next := s.Next(events.Infer, events.Completed, 1, at); next.Shadow || next.Apart {
		t.Error("what follows is marked too")
	}
}

func TestAParkedEventIsItselfLater(t *testing.T) {
	t.Parallel()
	e := requested()
	p := e.Parked(at.Add(time.Minute))
	if p.ID != e.ID || p.StorageID() == e.StorageID() || p.Tries != 0 || p.NotBefore != at.Add(time.Minute) {
		t.Errorf("parked as %+v", p)
	}
}

func TestARedrivenDeadLetterIsTheEventItWas(t *testing.T) {
	t.Parallel()
	in := requested().Again(at).Again(at)
	dead := in.AsDead(events.DeadLetter{Hop: events.Schedule, Reason: events.ReasonExhausted, Time: at})
	if lane, err := dead.Lane(); err != nil || lane.Hop != events.Dead {
		t.Errorf("a dead letter's lane is %v, %v", lane, err)
	}
	again := dead.Redrive()
	want := in
	want.Tries, want.Copy, want.NotBefore = 0, 3, time.Time{}
	if !reflect.DeepEqual(again, want) {
		t.Errorf("got\n%+v, want\n%+v", again, want)
	}
}

func TestLane(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*events.Event)
		want   string
	}{
		"requested goes to schedule":               {func(*events.Event) {}, "schedule/high"},
		"attempt_failed goes to schedule":          {func(e *events.Event) { e.Type = events.AttemptFailed }, "schedule/high"},
		"scheduled goes to its target":             {func(e *events.Event) { e.Type, e.Target = events.Scheduled, "a-1" }, "infer/high/a-1"},
		"completed goes to callback":               {func(e *events.Event) { e.Type = events.Completed }, "callback/high"},
		"failed goes to callback":                  {func(e *events.Event) { e.Type = events.Failed }, "callback/high"},
		"scheduled without a target is a fault":    {func(e *events.Event) { e.Type = events.Scheduled }, ""},
		"scheduled apart goes to its tenant's own": {func(e *events.Event) { e.Type, e.Target, e.Apart = events.Scheduled, "a", true }, "infer/high/a/search"},
		"apart without a tenant is a fault":        {func(e *events.Event) { e.Type, e.Target, e.Apart, e.Tenant = events.Scheduled, "a", true, "" }, ""},
		"a target with a dot is a fault":           {func(e *events.Event) { e.Type, e.Target = events.Scheduled, "a.b" }, ""},
		"another type is a fault":                  {func(e *events.Event) { e.Type = "com.example.other" }, ""},
		"no priority is a fault":                   {func(e *events.Event) { e.Priority = "" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := requested()
			tc.change(&e)
			lane, err := e.Lane()
			if (err == nil) != (tc.want != "") || err == nil && lane.String() != tc.want {
				t.Errorf("got %v, %v, want %q", lane, err, tc.want)
			}
		})
	}
}

func TestAttributesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	want := requested().Again(at)
	want.Target, want.Tried, want.Attempt, want.ErrorCode = "a", []string{"b", "a"}, 2, events.CodeTimeout
	want.TraceParent, want.TraceState, want.CacheKey, want.CausationID, want.Hops, want.Begun = "p", "s", "c", "x", 9, 1
	want.Apart, want.Shadow, want.Stream, want.Parts, want.PartsID, want.Subscriber = true, true, true, 2, "i", 1
	want.DataRef, want.DataDigest, want.RequestID, want.Callbacks = "r", "d", "q", "failed=https://a.example"
	want.Extra = map[string]any{"a": "é", "b": true, "c": int32(-1)}
	want = want.AsDead(events.DeadLetter{Hop: events.Infer, Reason: events.ReasonGone, Detail: "d", Time: at})
	for name, value := range map[string]func(any) any{
		"as values": func(v any) any { return v },
		"as text":   func(v any) any { return events.Text(v) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := events.Event{Data: want.Data}
			for name, v := range want.Attributes() {
				if err := got.SetAttribute(name, value(v)); err != nil {
					t.Fatal(err)
				}
			}
			a, b := maps.Collect(got.Attributes()), maps.Collect(want.Attributes())
			for name := range b {
				if events.Text(a[name]) != events.Text(b[name]) {
					t.Errorf("%s is %v, want %v", name, a[name], b[name])
				}
			}
			if len(a) != len(b) || len(b) != len(events.AttributeNames())+3-2 { // three extras; the dead have no notbefore, and this one no errormessage
				t.Errorf("got %d attributes of %d", len(a), len(b))
			}
		})
	}
}

func TestABadAttributeIsNamed(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"specversion": "0.3", "time": "yesterday", "attempt": "two", "hops": "-1", "tries": "2147483648", "copy": 1.5,
		"notbefore": "", "Upper": "x", "with-dash": "x", "": "x", "averyveryverylongname": "x", "struct": struct{}{}, "float": 1.5,
	} {
		var e events.Event
		if err := e.SetAttribute(name, value); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s = %v: %v", name, value, err)
		}
	}
	var e events.Event
	if err := e.SetAttribute("attempt", int32(math.MaxInt32)); err != nil || e.Attempt != math.MaxInt32 {
		t.Errorf("the largest attempt: %v", err)
	}
	if err := e.Validate(); err == nil || !strings.Contains(err.Error(), "id") || !strings.Contains(err.Error(), "source") {
		t.Errorf("Validate: %v", err)
	}
}

func TestAnEventIsTheSameAfterTheOfficialSDK(t *testing.T) {
	t.Parallel()
	want := requested()
	want.Attempt, want.Tried, want.Extra = 1, []string{"a"}, map[string]any{"s": "é \"x\" 100%", "b": true, "i": int32(7)}
	ce, err := want.CloudEvent()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(ce)
	if err != nil {
		t.Fatal(err)
	}
	var back cloudevents.Event
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	got, err := events.FromCloudEvent(back)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\n%+v, want\n%+v", err, got, want)
	}
}

func FuzzFromCloudEvent(f *testing.F) {
	e := requested().AsDead(events.DeadLetter{Hop: events.Infer, Reason: events.ReasonGone, Detail: "d", Time: at})
	ce, err := e.CloudEvent()
	if err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(ce)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"specversion":"1.0","id":"x","source":"s","type":"t","attempt":"x","data_base64":"AA=="}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var ce cloudevents.Event
		if json.Unmarshal(text, &ce) != nil {
			return
		}
		if e, err := events.FromCloudEvent(ce); err == nil && (e.ID == "" || e.Source == "" || e.Type == "") {
			t.Errorf("%s is read as %+v", text, e)
		}
	})
}

func TestTheRequestSchemaIsTheOneThatEventsName(t *testing.T) {
	t.Parallel()
	var schema struct {
		ID string `json:"$id"`
	}
	if err := json.Unmarshal(events.RequestSchema(), &schema); err != nil || schema.ID != events.SchemaURI {
		t.Errorf("the schema's id is %q, %v, want %q", schema.ID, err, events.SchemaURI)
	}
}
