package natsbus

import (
	"maps"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"baton.dev/baton/events"
)

// sample is an event with everything in it.
func sample() events.Event {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	e := events.New("t", events.Request{RequestID: "r", ModelID: "m", CallbackURL: "https://example.com/?a=%20"}, events.Low, []byte(`{"a":1}`), at, at)
	e.Attempt, e.Tried, e.ErrorMessage, e.Extra = 3, []string{"a", "b"}, "é \"x\"", map[string]any{"flag": "true"}
	return e.AsDead(events.DeadLetter{Hop: events.Infer, Reason: events.ReasonGone, Detail: "d", Time: at})
}

func FuzzDecode(f *testing.F) {
	e := sample()
	ce, err := e.CloudEvent()
	if err != nil {
		f.Fatal(err)
	}
	structured, err := ce.MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("ce-id", "x", "ce-specversion", "1.0", structured)
	f.Add("CE-Attempt", "12", "content-type", "application/json", []byte("{}"))
	f.Add("ce-deadtime", "2026-01-02T03:04:05Z", "ce-tried", ",,", structured[:40])
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string, data []byte) {
		msg := &nats.Msg{Header: nats.Header{name1: {value1}, name2: {value2}}, Data: data}
		got, err := decode(msg)
		if err != nil {
			return
		}
		// What was understood is written and read again alike.
		again, err := decode(encode("s", &got))
		if err != nil {
			t.Fatalf("%+v is not read again: %v", got, err)
		}
		if a, b := texts(&got), texts(&again); !maps.Equal(a, b) {
			t.Errorf("read\n%q and then\n%q", a, b)
		}
	})
}

func texts(e *events.Event) map[string]string {
	m := map[string]string{}
	for name, v := range e.Attributes() {
		m[name] = events.Text(v)
	}
	return m
}

func BenchmarkEncode(b *testing.B) {
	e := sample()
	b.ReportAllocs()
	for b.Loop() {
		encode("baton.schedule.low", &e)
	}
}

func BenchmarkDecode(b *testing.B) {
	e := sample()
	msg := encode("baton.schedule.low", &e)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(msg); err != nil {
			b.Fatal(err)
		}
	}
}
