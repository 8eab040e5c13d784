package health

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
)

func TestFailuresInARow(t *testing.T) {
	t.Parallel()
	// after returns the record of a canary that was good for long, after n failures with others between each two.
	after := func(n int, others ...tally) (record, string) {
		_, rec := run(rand.New(rand.NewPCG(5, 6)), arm{p50: usual.p50}, arm{p50: usual.p50}, 19, 1000)
		for i := range n {
			batch := []observation{{Outcome: Outcome{Target: "c", Code: events.CodeTimeout, At: start.Add(time.Hour)}, fingerprint: "f"}}
			if i > 0 {
				for _, o := range others {
					batch = append([]observation{{Outcome: Outcome{At: start.Add(time.Hour)}, fingerprint: "f", stable: o}}, batch...)
				}
			}
			rec, _ = rec.learn(batch, noJitter)
		}
		return rec, rec.trial("f").Out
	}
	for name, c := range map[string]struct {
		others []tally
		want   int // after how many the canary is out; 0: not after 9
	}{
		"end the trial at the fifth, however long the canary was good": {[]tally{{Attempts: 19}}, 5},
		"end it too where one in twenty of the others fails":           {[]tally{{Attempts: 19}, {Attempts: 1, Failures: 1}, {Attempts: 20}}, 5},
		"need some more where little is known of the others":           {[]tally{{Attempts: 1}}, 9},
		"do not end it while the others fail":                          {[]tally{{Attempts: 19, Failures: 19}}, 0},
		"do not end it while half of the others' attempts fail":        {[]tally{{Attempts: 10, Failures: 5}}, 0},
		"do not end it where nothing is known of the others":           {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; n <= 9; n++ {
				if _, why := after(n, c.others...); why != "" {
					if n != c.want {
						t.Errorf("out after %d: %s", n, why)
					}
					return
				}
			}
			if c.want != 0 {
				t.Error("in after 9")
			}
		})
	}
	t.Run("say in figures why", func(t *testing.T) {
		t.Parallel()
		const want = "its last 5 attempts failed, and 0.0 % of 76 at the model's other targets in the same time"
		if _, why := after(5, tally{Attempts: 19}); why != want {
			t.Errorf("got %q, want %q", why, want)
		}
	})
	t.Run("that befell all are not held against the canary when the others are well before it is probed", func(t *testing.T) {
		t.Parallel()
		rec, _ := after(5, tally{Attempts: 19, Failures: 19})
		rec, _ = rec.learn([]observation{
			{Outcome: Outcome{At: start.Add(time.Hour)}, fingerprint: "f", stable: tally{Attempts: 1000}},
			{Outcome: Outcome{Target: "c", At: start.Add(time.Hour), Probe: true}, fingerprint: "f"},
		}, noJitter)
		if got := rec.trial("f"); got.Out != "" || got.Streak != (streak{}) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("that befell all count when it goes on to fail and the others do not", func(t *testing.T) {
		t.Parallel()
		rec, _ := after(5, tally{Attempts: 19, Failures: 19})
		rec, _ = rec.learn([]observation{
			{Outcome: Outcome{At: start.Add(time.Hour)}, fingerprint: "f", stable: tally{Attempts: 1000}},
			{Outcome: Outcome{Target: "c", Code: events.CodeTimeout, At: start.Add(time.Hour), Probe: true}, fingerprint: "f"},
		}, noJitter)
		if why := rec.trial("f").Out; !strings.HasPrefix(why, "its last 6 attempts failed") {
			t.Errorf("got %q", why)
		}
	})
}
