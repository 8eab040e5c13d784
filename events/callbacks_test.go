package events_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
)

func several() events.Event {
	r := events.Request{RequestID: "r", ModelID: "m", CallbackURL: "https://first.example.com/", Callbacks: []events.CallbackRequest{
		{URL: "https://second.example.com/?a=b+c=d"},
		{URL: "nats://results.third", Events: []string{"attempt_failed", "failed"}},
		{URL: "sqs://fourth", Events: []string{"attempt_failed"}},
	}}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e := events.New("t", r, events.Normal, []byte("{}"), at, at.Add(time.Hour))
	e.CacheKey, e.Parts, e.PartsID = "key", 3, "parts"
	return e
}

func TestCallbacksAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	got, err := events.DecodeCallbacks(several().Callbacks)
	want := []events.CallbackRequest{
		{URL: "https://second.example.com/?a=b+c=d", Events: []string{"completed", "failed"}},
		{URL: "nats://results.third", Events: []string{"attempt_failed", "failed"}},
		{URL: "sqs://fourth", Events: []string{"attempt_failed"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, %v, want %v", got, err, want)
	}
	for _, bad := range []string{"https://a.example.com/", "completed+nothing=https://a.example.com/", "completed=://"} {
		if got, err := events.DecodeCallbacks(bad); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

func TestEachReceiverGetsACopyOfWhatItWants(t *testing.T) {
	t.Parallel()
	base := several()
	for step, want := range map[events.Type]map[string]string{
		events.Completed:     {"-to-1": "https://first.example.com/", "-to-2": "https://second.example.com/?a=b+c=d"},
		events.Failed:        {"-to-1": "https://first.example.com/", "-to-2": "https://second.example.com/?a=b+c=d", "-to-3": "nats://results.third"},
		events.AttemptFailed: {"-to-3": "nats://results.third", "-to-4": "sqs://fourth"},
	} {
		e := base.Next(events.Infer, step, 1, base.Time)
		copies, err := e.Copies()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, c := range copies {
			got[strings.TrimPrefix(c.ID, e.ID)] = c.CallbackURL
			lane, err := c.Lane()
			if err != nil || lane.Hop != events.Callback || c.Type != step || c.Callbacks != "" || c.CacheKey != "" || c.Parts != 0 || c.PartsID != "" {
				t.Errorf("the copy %+v is in lane %v, %v", c, lane, err)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: copies %v, want %v", step.Step(), got, want)
		}
	}
	base.CallbackURL = "" // numbers are of the list that there is
	copies, err := base.Next(events.Infer, events.Completed, 1, base.Time).Copies()
	if err != nil || len(copies) != 1 || copies[0].Subscriber != 1 {
		t.Errorf("%v, %v", copies, err)
	}
}
