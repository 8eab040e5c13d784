package health

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
)

func someRecord(t testing.TB, seed uint64) record {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 9))
	var rec record
	now := start
	codes := []string{"", "", events.CodeTimeout, events.CodeQuotaExhausted, events.CodeInvalidRequest}
	for range r.IntN(200) {
		now = now.Add(time.Duration(r.Int64N(int64(20 * time.Second))))
		o := observation{Outcome: Outcome{
			Target: "a", Code: codes[r.IntN(len(codes))], At: now, Latency: time.Duration(r.Int64N(1e10)), Probe: r.IntN(2) == 0,
			RetryAt: now.Add(time.Duration(r.Int64N(1e15))),
		}, fingerprint: []string{"", "f", "g", "h"}[r.IntN(4)]}
		if r.IntN(4) == 0 {
			o.stable = tally{Attempts: 4, Failures: 1, Took: 1, Squares: 1}
		}
		rec, _ = rec.learn([]observation{o}, noJitter)
	}
	rec.Written = "writer-1"
	return rec
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		want := someRecord(t, seed)
		b, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > maxRecord/2 {
			t.Errorf("seed %d: a record of %d bytes", seed, len(b))
		}
		now := start.Add(200 * 20 * time.Second)
		got, err := decode(b, now)
		if err != nil {
			t.Fatalf("seed %d: %v: %s", seed, err, b)
		}
		if len(got.Trials) == 0 {
			got.Trials = want.Trials // nil or empty
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: got\n%+v\nwant\n%+v", seed, got, want)
		}
	}
}

func TestABadRecordIsRefused(t *testing.T) {
	t.Parallel()
	good, err := func() ([]byte, error) { r := someRecord(t, 1); return r.encode() }()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]string{
		"no JSON":          "{",
		"another type":     `[]`,
		"too long":         `{"written":"` + strings.Repeat("x", maxRecord) + `"}`,
		"open for a year":  `{"breaker":{"opened":true,"until":"2027-03-01T12:00:00Z"}}`,
		"of the future":    `{"breaker":{"since":"2027-03-01T12:00:00Z"}}`,
		"a future window":  `{"breaker":{"window":{"slot":999999999}}}`,
		"negative":         `{"breaker":{"streak":-1}}`,
		"negative counts":  `{"breaker":{"window":{"count":[{"n":-1,"f":-1}]}}}`,
		"more than all":    `{"breaker":{"window":{"count":[{"n":1,"f":2}]}}}`,
		"a negative sum":   `{"figures":{"ended":-1}}`,
		"a sum too large":  `{"figures":{"took":1e300}}`,
		"too many trials":  `{"trials":[{"fingerprint":"a"},{"fingerprint":"b"},{"fingerprint":"c"}]}`,
		"a nameless trial": `{"trials":[{"fingerprint":""}]}`,
		"a longer streak":  `{"trials":[{"fingerprint":"a","streak":{"failures":-1}}]}`,
		"a streak of more": `{"trials":[{"fingerprint":"a","streak":{"failures":5,"between":{"attempts":1,"failures":2}}}]}`,
		"a trial of more":  `{"trials":[{"fingerprint":"a","canary":{"attempts":1,"failures":2}}]}`,
		"cut short":        string(good[:len(good)/2]),
	} {
		if r, err := decode([]byte(b), start); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r, err := decode(nil, start); err != nil || r.known() {
		t.Errorf("nothing: %+v, %v", r, err)
	}
}

// Whatever a record says that was read, it can be used and written again.
func FuzzDecode(f *testing.F) {
	for seed := range uint64(5) {
		r := someRecord(f, seed)
		b, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"breaker":{"opened":true,"failed":9223372036854775807,"passed":9223372036854775807,"streak":9223372036854775807}}`))
	f.Add([]byte(`{"trials":[{"fingerprint":"f","canary":{"attempts":1e15,"failures":1e15},"stable":{"attempts":1e-300}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		now := start.Add(time.Hour)
		r, err := decode(b, now)
		if err != nil {
			return
		}
		batch := []observation{
			{Outcome: Outcome{At: now}, fingerprint: "f", stable: tally{Attempts: 100, Took: 1, Squares: 1}},
			{Outcome: Outcome{At: now, Code: events.CodeTimeout, Probe: true}, fingerprint: "f"},
			{Outcome: Outcome{At: now, Probe: true}, fingerprint: "f"},
		}
		next, _ := r.learn(batch, noJitter)
		_ = next.status(now, "f")
		again, err := next.encode()
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if len(again) <= maxRecord {
			if _, err := decode(again, now); err != nil {
				t.Fatalf("%s: %v", bytes.TrimSpace(again), err)
			}
		}
	})
}
