package bustest

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

func arrivesAsStored(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	want := requested(1, events.Normal)
	publish(t, b, want)
	d := receive(t, b, laneOf(t, want), 1)[0]
	if d.Err != nil || d.Number != 1 && d.Number != 0 {
		t.Errorf("delivery %d: %v, want the first, without an error", d.Number, d.Err)
	}
	if !reflect.DeepEqual(d.Event, want) {
		t.Errorf("received\n%+v, want\n%+v", d.Event, want)
	}
	ack(t, d)
}

func attributesSurvive(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 123_456_789, time.UTC)
	want := requested(1, events.High)
	want.Model = "modèle \"日本\" 100%"
	want.CallbackURL = "https://example.com/a%20b?c=%25&d=é"
	want.Attempt = 3
	want.Tried = []string{"a", "b"}
	want.CacheKey = "k=v; k2=\"v2\""
	want.ErrorCode = events.CodeTimeout
	want.ErrorMessage = "line one\nline two\ttab"
	want.CausationID = "cause"
	want.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	want.TraceState = "vendor=opaque,other=1"
	want.Hops, want.Tries, want.Copy = 7, 2, 3
	want.Expiry = at.Add(time.Minute)
	want.Extra = map[string]any{
		"anystring":   "é 日本 %41 \"quoted\" \\ ~ \u00a0",
		"anybool":     true,
		"anyinteger":  int32(-2147483648),
		"anyuri":      "https://user@example.com:8443/p%C3%A4th;x?q=a+b#frag",
		"anyuriref":   "../sibling?x=1",
		"anytime":     at.Format(time.RFC3339Nano),
		"anybinary":   "AAECA/8=",
		"percentonly": "%",
	}
	publish(t, b, want)
	d := receive(t, b, laneOf(t, want), 1)[0]
	ack(t, d)
	got := d.Event
	if d.Err != nil {
		t.Fatal(d.Err)
	}
	text := func(e events.Event) map[string]string {
		m := map[string]string{}
		for name, v := range e.Attributes() {
			m[name] = events.Text(v)
		}
		return m
	}
	if g, w := text(got), text(want); !maps.Equal(g, w) {
		t.Errorf("received the attributes\n%q, want\n%q", g, w)
	}
	if !h.Texted && !maps.Equal(got.Extra, want.Extra) {
		t.Errorf("received the extensions\n%v, want\n%v, types and all", got.Extra, want.Extra)
	}
}

func bodiesSurvive(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	sizes := []int{0, 1, 256 << 10}
	if h.MaxData > 0 {
		sizes = append(sizes, h.MaxData)
	}
	for n, size := range sizes {
		want := requested(n, events.Normal)
		want.Data = bytes.Repeat([]byte("é"), size/2+1)[:size]
		publish(t, b, want)
		d := receive(t, b, laneOf(t, want), 1)[0]
		if !bytes.Equal(d.Event.Data, want.Data) {
			t.Errorf("a body of %d bytes came back as another, of %d", size, len(d.Event.Data))
		}
		ack(t, d)
	}
}

func overLimitRefused(t *testing.T, h Harness) {
	b, _ := h.Open(t)
	over := requested(1, events.Normal)
	over.Data = make([]byte, h.OverData)
	if err := b.Publish(soon(t), over); !errors.Is(err, hop.ErrTooLarge) {
		t.Errorf("publishing %d bytes: %v, want %v", h.OverData, err, hop.ErrTooLarge)
	}
	nothingElse(t, h, b, requested(2, events.Normal))
}

func duplicateRecognised(t *testing.T, h Harness) {
	b, again := h.Open(t)
	e := requested(1, events.Normal)
	publish(t, b, e)
	publish(t, b, e)
	publish(t, again(), e)
	copies := 3
	if h.Deduplicates {
		copies = 1
	}
	for _, d := range receive(t, b, laneOf(t, e), copies) {
		if !reflect.DeepEqual(d.Event, e) {
			t.Errorf("received\n%+v, want\n%+v", d.Event, e)
		}
		ack(t, d)
	}
	if h.Deduplicates {
		publish(t, b, e)
	}
	nothingElse(t, h, b, requested(2, events.Normal))

	another := e.Again(time.Time{})
	publish(t, b, another)
	d := receive(t, b, laneOf(t, e), 1)[0]
	if d.Event.ID != e.ID || d.Event.Copy != 1 {
		t.Errorf("received %s, copy %d, want a new copy of %s", d.Event.ID, d.Event.Copy, e.ID)
	}
	ack(t, d)
}
