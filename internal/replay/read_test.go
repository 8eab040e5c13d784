package replay_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"baton.dev/baton/internal/replay"
)

const arrival = `{"v":1,"at":"2026-01-02T03:04:05Z","event":"requested","message_id":"m1","priority":"high","model":"chat"}`

func TestWhatIsNoTraceSaysWhereAndWhy(t *testing.T) {
	t.Parallel()
	line := func(members string) string {
		return `{"v":1,"at":"2026-01-02T03:04:05Z","message_id":"m1",` + members + `}`
	}
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":                        {"", "has no arrivals"},
		"only attempts":                  {line(`"event":"scheduled","target":"a","attempt":1`), "baton watch --trace"},
		"another version":                {arrival + "\n" + strings.Replace(arrival, `"v":1`, `"v":2`, 1), "line 2: version 2 is unknown: this program reads version 1"},
		"no version":                     {`{"at":"2026-01-02T03:04:05Z"}` + "\n", `line 1: has no "v"`},
		"a line that is not JSON":        {arrival + "\n{\"v\":1,\n" + arrival, "line 2: is not JSON"},
		"a word for a number":            {`{"v":1,"attempt":"first"}` + "\n", `line 1: "attempt" is not of the type`},
		"no time":                        {`{"v":1,"event":"requested"}` + "\n", `line 1: "at" is missing`},
		"a time that is none":            {`{"v":1,"at":"yesterday"}` + "\n", "line 1: is no line of a trace"},
		"a time that is far":             {strings.Replace(arrival, "2026", "9026", 1), `line 1: "at" is in the year 9026`},
		"a deadline that is far":         {line(`"event":"requested","priority":"low","model":"m","expiry":"9999-01-01T00:00:00Z"`), `"expiry" is in the year`},
		"no message":                     {`{"v":1,"at":"2026-01-02T03:04:05Z","event":"failed","code":"timeout"}`, `"message_id" is missing`},
		"an event that is unknown":       {line(`"event":"resent"`), `event "resent" is unknown: want requested`},
		"an arrival without a model":     {line(`"event":"requested","priority":"high"`), "has no model"},
		"an arrival without a priority":  {line(`"event":"requested","model":"m"`), "no priority high, normal or low"},
		"an attempt without a target":    {line(`"event":"scheduled","attempt":1`), "has no target"},
		"a failed attempt without cause": {line(`"event":"attempt_failed","target":"a","attempt":1`), "has no code"},
		"a failure without cause":        {line(`"event":"failed"`), "has no code"},
		"a completion without a target":  {line(`"event":"completed"`), "has no target"},
		"attempts without end":           {line(`"event":"scheduled","target":"a","attempt":999999`), `"attempt" is 999999`},
		"a call that took less than 0":   {line(`"event":"completed","target":"a","attempt":1,"inference_ms":-1`), `"inference_ms" is out of range`},
		"tokens below 0":                 {line(`"event":"completed","target":"a","attempt":1,"usage":{"prompt_tokens":-1}`), `"usage" is out of range`},
		"a name that is long":            {line(`"event":"scheduled","attempt":1,"target":"` + strings.Repeat("a", 300) + `"`), `"target" is over`},
		"a line without end":             {arrival + "\n" + strings.Repeat("x", 1<<17), "line 2: is over"},
		"all faults at once":             {"{}\n" + arrival + "\n{}\n", "line 3: has no"},
		"very many faults":               {strings.Repeat("{}\n", 100), "the rest was not read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := replay.Read(strings.NewReader(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestALastLineThatWasCutOffIsLeftOut(t *testing.T) {
	t.Parallel()
	text := file(t, "chain.trace")
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	last := lines[len(lines)-1]
	for name, cut := range map[string]string{"in the middle": last[:len(last)/2], "after its end": last} {
		trace := read(t, strings.Join(lines[:len(lines)-1], "")+cut)
		if want := name == "in the middle"; trace.Cut != want || len(trace.Messages) != 200 {
			t.Errorf("cut %s: Cut is %t, %d messages", name, trace.Cut, len(trace.Messages))
		}
	}
}

func TestLinesMayStandInAnyOrderAndBeRepeated(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(file(t, "chain.trace")), "\n")
	shuffled := slices.Concat(lines, lines[:300], []string{"", "  "})
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	var reports []string
	for _, text := range []string{strings.Join(lines, "\n"), strings.Join(shuffled, "\n")} {
		report, err := json.Marshal(run(t, read(t, text), replay.Options{Catalog: changed(t, "weight: 3", "weight: 2"), Seed: 1}))
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, string(report))
	}
	if reports[0] != reports[1] {
		t.Errorf("in order:\n%s\nshuffled:\n%s", reports[0], reports[1])
	}
}

func TestMembersThatAreUnknownArePassedOver(t *testing.T) {
	t.Parallel()
	if trace := read(t, strings.Replace(arrival, `"v":1`, `"v":1,"colour":["blue"]`, 1)); len(trace.Messages) != 1 {
		t.Errorf("%d messages", len(trace.Messages))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(arrival)
	f.Add(arrival + "\n" + `{"v":1,"at":"2026-01-02T03:04:06Z","event":"completed","message_id":"m1","target":"a","attempt":1,"inference_ms":1e3}`)
	f.Add(`{"v":1,"at":"2026-01-02T03:04:06Z","event":"attempt_failed","message_id":"m1","target":"a","attempt":1,"code":"timeout"}` + "\n" + arrival)
	f.Add(`{"v":2}`)
	f.Add(arrival[:40])
	f.Fuzz(func(t *testing.T, text string) {
		trace, err := replay.Read(strings.NewReader(text))
		if (trace == nil) == (err == nil) {
			t.Fatalf("%v and %v", trace, err)
		}
		if err == nil && trace.To.Before(trace.From) {
			t.Errorf("from %v to %v", trace.From, trace.To)
		}
	})
}
