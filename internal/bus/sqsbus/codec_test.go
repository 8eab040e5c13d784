package sqsbus_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/sqsbus"
)

// sample is an event with everything in it.
func sample() events.Event {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	r := events.Request{RequestID: "r", ModelID: "m", CallbackURL: "https://example.com/?a=%20"}
	e := events.New("t", r, events.Low, []byte(`{"a": 1,"a":2.50e1,"é\u0000":"<>&\u2028"}`), at, at)
	e.Attempt, e.Tried, e.ErrorMessage, e.Hops = 3, []string{"a", "b"}, "é \"x\" \\ \U0001F600\n\x7f", 7
	e.Extra = map[string]any{"flag": true, "number": int32(-5), "text": "true"}
	return e.AsDead(events.DeadLetter{Hop: events.Infer, Reason: events.ReasonGone, Detail: "d", Time: at})
}

func encode(t testing.TB, e events.Event) string {
	t.Helper()
	body, err := sqsbus.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func decode(t testing.TB, body string) events.Event {
	t.Helper()
	e, err := sqsbus.Decode(body)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return e
}

// accepted reports whether SQS takes the body: #x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD and #x10000 to #x10FFFF
// (SendMessage, MessageBody).
func accepted(body string) bool {
	for _, c := range body {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == '\uFFFE' || c == '\uFFFF' {
			return false
		}
	}
	return utf8.ValidString(body)
}

func TestAnEventIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	want := sample()
	if got := decode(t, encode(t, want)); !reflect.DeepEqual(got, want) {
		t.Errorf("read\n%+v, want\n%+v", got, want)
	}
}

func TestDataIsReadByteForByte(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, data := range map[string]string{
		"an object with white space inside":  "{ \"a\" :\t1 ,\r\n\"b\":[ ] }",
		"white space before it":              "\t{}",
		"white space after it":               "{}\n",
		"a number with its digits":           "1.2300e+05",
		"null":                               "null",
		"a string":                           `"a\u00e9\/"`,
		"a member twice":                     `{"a":1,"a":2}`,
		"no JSON":                            "hello",
		"what would end the data":            `1,"id":"another"`,
		"half an object":                     `{"a":`,
		"no UTF-8":                           "{\"a\":\"\xff\"}",
		"control characters":                 "\x00\x01\x1f",
		"a character that SQS refuses":       "{\"a\":\"\uFFFE\"}",
		"another character that SQS refuses": "\"\uFFFF\"",
		"characters beyond the first plane":  "\"\U0001F600 \U0010FFFF\"",
		"as deep as can be":                  deep(9_999),
		"deeper than can be read":            deep(10_000),
		"many brackets":                      "[" + strings.Repeat("{},", 9_500) + "1]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, contentType := range []string{events.JSON, "text/plain", "application/octet-stream", ""} {
				e := sample()
				e.DataContentType, e.Data = contentType, []byte(data)
				body := encode(t, e)
				if !accepted(body) {
					t.Errorf("%q: SQS would not take the body %q", contentType, body)
				}
				if got := decode(t, body).Data; string(got) != data {
					t.Errorf("%q: read %q, want %q", contentType, got, data)
				}
			}
		})
	}
}

func TestJSONDataStandsInTheBodyAsItIs(t *testing.T) {
	t.Parallel()
	const data = `{"prompt":"<b>é 😀</b>","n":1.0}`
	e := sample()
	e.Data = []byte(data)
	if body := encode(t, e); !strings.Contains(body, `"data":`+data) {
		t.Errorf("the body is %s", body)
	}
}

func TestTextOfAnyCharactersSurvives(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for c := rune(0); c <= 0x120; c++ {
		all.WriteRune(c)
	}
	all.WriteString("\u2028\u2029\uFEFF\uFFFD\uFFFE\uFFFF\U0001FFFE\U0010FFFF \"\\/")
	e := sample()
	e.Model, e.Extra = all.String(), map[string]any{"text": all.String()}
	body := encode(t, e)
	if !accepted(body) {
		t.Errorf("SQS would not take the body %q", body)
	}
	if got := decode(t, body); got.Model != e.Model || got.Extra["text"] != e.Model {
		t.Errorf("read %q, want %q", got.Model, e.Model)
	}

	e.Model = "no UTF-8: \xff"
	if got := decode(t, encode(t, e)).Model; got != "no UTF-8: \uFFFD" {
		t.Errorf("read %q", got)
	}
}

func TestTheOfficialSDKReadsWhatBatonWrites(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{events.JSON, "text/plain"} {
		e := sample()
		e.DataContentType = contentType
		var ce cloudevents.Event
		if err := json.Unmarshal([]byte(encode(t, e)), &ce); err != nil {
			t.Fatal(err)
		}
		if err := ce.Validate(); err != nil {
			t.Error(err)
		}
		got, err := events.FromCloudEvent(ce)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, e) {
			t.Errorf("the SDK reads\n%+v, want\n%+v", got, e)
		}
	}
}

func TestBatonReadsWhatTheOfficialSDKWrites(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{events.JSON, "text/plain", "application/octet-stream"} {
		want := sample()
		want.DataContentType = contentType
		ce, err := want.CloudEvent()
		if err != nil {
			t.Fatal(err)
		}
		body, err := ce.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, string(body)); !reflect.DeepEqual(got, want) {
			t.Errorf("read\n%+v, want\n%+v", got, want)
		}
	}
}

func TestDataOfOtherWritersIsRead(t *testing.T) {
	t.Parallel()
	for members, want := range map[string]string{
		`"datacontenttype":"text/plain","data":"line\none"`:             "line\none",
		`"data":"a JSON string"`:                                        `"a JSON string"`,
		`"datacontenttype":"application/vnd.x+json; a=b","data":"x"`:    `"x"`,
		`"datacontenttype":"text/plain","data":{"a" : 1}`:               `{"a" : 1}`,
		`"datacontenttype":"application/json","data_base64":"eyJhIg=="`: `{"a"`,
		`"data_base64":null,"subject":null`:                             "",
	} {
		got := decode(t, `{"specversion":"1.0","id":"i","source":"s","type":"t",`+members+"}")
		if string(got.Data) != want {
			t.Errorf("%s: read %q, want %q", members, got.Data, want)
		}
	}
}

func TestABodyThatIsNoEventSaysWhy(t *testing.T) {
	t.Parallel()
	const event = `{"specversion":"1.0","id":"i","source":"s","type":"t"`
	for name, c := range map[string]struct{ body, want string }{
		"nothing":                 {"", "invalid"},
		"no JSON":                 {"SECRET", "invalid at byte 0"},
		"no object":               {"[1]", "want an object"},
		"no end":                  {event, "invalid at byte"},
		"no end of the data":      {event + `,"data":{"prompt":"SECRET`, "invalid at byte"},
		"two objects":             {event + "} {}", "more after the object"},
		"no UTF-8":                {event + ",\"subject\":\"SECRET\xff\"}", "invalid at byte"},
		"no version":              {`{"id":"i","source":"s","type":"t"}`, "missing: specversion"},
		"another version":         {`{"specversion":"0.3","id":"i","source":"s","type":"t"}`, "0.3"},
		"no id":                   {`{"specversion":"1.0","source":"s","type":"t","data":"SECRET"}`, "missing: id"},
		"an attempt in words":     {event + `,"attempt":"two"}`, "attempt"},
		"a number with a part":    {event + `,"attempt":1.5}`, "attribute attempt: the number is no 32-bit integer"},
		"a number that is large":  {event + `,"other":2147483648}`, "attribute other"},
		"an attribute of members": {event + `,"other":{"a":"SECRET"}}`, "attribute other: want a string"},
		"a name in capitals":      {event + `,"Other":"SECRET"}`, `"Other"`},
		"two kinds of data":       {event + `,"data":"SECRET","data_base64":"QQ=="}`, "both"},
		"no base64":               {event + `,"data_base64":"SECRET!"}`, "no base64"},
		"no text of base64":       {event + `,"data_base64":5}`, "no base64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sqsbus.Decode(c.body)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("decoding says %v, want something of %q", err, c.want)
			}
		})
	}
	if e, _ := sqsbus.Decode(event + `,"attempt":"two","tenant":"x"}`); e.ID != "i" || e.Tenant != "x" {
		t.Errorf("of a faulty event there was read %+v", e)
	}
}

func TestWhatIsNoEventIsNotWrittenExceptAsADeadLetter(t *testing.T) {
	t.Parallel()
	e := events.Event{ID: "message-id", Data: []byte("hello")}
	if _, err := sqsbus.Encode(e); err == nil {
		t.Error("an event without a source and a type was written")
	}
	dead := e.AsDead(events.DeadLetter{Reason: events.ReasonUndecodable})
	got, _ := sqsbus.Decode(encode(t, dead))
	if !reflect.DeepEqual(got, dead) {
		t.Errorf("read\n%+v, want\n%+v", got, dead)
	}
	reserved := sample()
	reserved.Extra = map[string]any{"data": "x"}
	if _, err := sqsbus.Encode(reserved); err == nil {
		t.Error("an attribute named data was written")
	}
}

func FuzzDecode(f *testing.F) {
	e := sample()
	f.Add(encode(f, e))
	e.DataContentType = "text/plain"
	f.Add(encode(f, e))
	ce, err := e.CloudEvent()
	if err != nil {
		f.Fatal(err)
	}
	structured, err := ce.MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(structured))
	f.Add(`{"specversion":"1.0","id":"i","source":"s","type":"t","datacontenttype":"application/json","data": [1, "\ufffe"] }`)
	f.Add(`{"specversion":"1.0","id":"","source":"s","type":"t","data":null,"deadtime":"2026-01-02T03:04:05Z","tried":",,"}`)
	f.Fuzz(func(t *testing.T, body string) {
		got, err := sqsbus.Decode(body)
		if err != nil {
			return
		}
		// What was understood is written and read again alike.
		written := encode(t, got)
		if !accepted(written) {
			t.Errorf("SQS would not take the body %q", written)
		}
		again := decode(t, written)
		if a, b := texts(&got), texts(&again); !maps.Equal(a, b) || !bytes.Equal(got.Data, again.Data) {
			t.Errorf("read\n%q %q and then\n%q %q", a, got.Data, b, again.Data)
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
	for name, e := range sizes() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(e.Data)))
			b.ReportAllocs()
			for b.Loop() {
				encode(b, e)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, e := range sizes() {
		body := encode(b, e)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(e.Data)))
			b.ReportAllocs()
			for b.Loop() {
				decode(b, body)
			}
		})
	}
}

// sizes returns a typical event, a large one, and a large one whose data is no JSON.
func sizes() map[string]events.Event {
	small, large := sample(), sample()
	large.Data = []byte(`{"model_id":"m","prompt":"` + strings.Repeat("lorem ipsum ", 10_000) + `"}`)
	binary := large
	binary.DataContentType = "application/octet-stream"
	return map[string]events.Event{"small": small, "large": large, "large binary": binary}
}
