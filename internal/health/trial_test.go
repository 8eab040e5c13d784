package health

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
)

// arm is how attempts at a target go.
type arm struct {
	errors float64       // share that fails
	p50    time.Duration // median latency, log-normal
	sigma  float64
}

func (a arm) attempt(r *rand.Rand, target string, at time.Time) Outcome {
	o := Outcome{Target: target, At: at}
	if r.Float64() < a.errors {
		o.Code = events.CodeUnavailable
		return o
	}
	o.Latency = time.Duration(float64(a.p50) * math.Exp(a.sigma*r.NormFloat64()))
	return o
}

// attempts is a tally of so many.
func (a arm) attempts(r *rand.Rand, n int) tally {
	t := tally{Attempts: float64(n)}
	mean := a.p50.Seconds() * math.Exp(a.sigma*a.sigma/2)
	for range n {
		if r.Float64() < a.errors {
			t.Failures++
			continue
		}
		took := mean * (0.5 + r.Float64()) // of the same mean, and sooner made
		t.Took += took
		t.Squares += took * took
	}
	return t
}

// run runs a trial of one canary attempt after every few at the others, and returns after how many it was out, or 0, and the
// record.
func run(r *rand.Rand, canary, stable arm, between, attempts int) (int, record) {
	var rec record
	now := start
	for n := 1; n <= attempts; n++ {
		others := stable.attempts(r, between)
		now = now.Add(100 * time.Millisecond)
		var changes []change
		rec, changes = rec.learn([]observation{
			{Outcome: Outcome{At: now}, fingerprint: "f", stable: others},
			{Outcome: canary.attempt(r, "canary", now), fingerprint: "f"},
		}, noJitter)
		if slices.ContainsFunc(changes, func(c change) bool { return c.out != nil }) {
			return n, rec
		}
	}
	return 0, rec
}

var usual = arm{errors: 0.02, p50: 120 * time.Millisecond, sigma: 0.52} // as simulated models are

// How often chance alone rolls back a canary that is as good as the others, over 1,000 requests each: the figure that the
// test is chosen for.
func TestAGoodCanaryIsNotRolledBackByChance(t *testing.T) {
	t.Parallel()
	heavy := arm{errors: 0.02, p50: 120 * time.Millisecond, sigma: 1.2} // a mean of twice the median, and far outliers
	for name, c := range map[string]struct {
		canary, stable arm
		between        int
	}{
		"2 % errors, a share of 5 %":            {usual, usual, 19}, // the figure: 1,000 of them
		"2 % errors, a share of a half":         {usual, usual, 1},
		"0.1 % errors":                          {arm{0.001, usual.p50, usual.sigma}, arm{0.001, usual.p50, usual.sigma}, 19},
		"20 % errors":                           {arm{0.2, usual.p50, usual.sigma}, arm{0.2, usual.p50, usual.sigma}, 19},
		"20 % errors, a share of a half":        {arm{0.2, usual.p50, usual.sigma}, arm{0.2, usual.p50, usual.sigma}, 1},
		"2 % errors, latencies of all sizes":    {heavy, heavy, 19},
		"1 % errors against none":               {arm{0.01, usual.p50, usual.sigma}, arm{0, usual.p50, usual.sigma}, 19},
		"one and a half times the latency":      {arm{0.02, usual.p50 * 3 / 2, usual.sigma}, usual, 19},
		"ten times the latency, of no duration": {arm{0.02, 30 * time.Millisecond, usual.sigma}, arm{0.02, 3 * time.Millisecond, usual.sigma}, 19},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trials := 200
			if c.canary == usual && c.between == 19 {
				trials = 1000
			}
			r := rand.New(rand.NewPCG(5, 2))
			out := 0
			for range trials {
				if n, _ := run(r, c.canary, c.stable, c.between, 1000); n > 0 {
					out++
				}
			}
			t.Logf("%d of %d good canaries were rolled back", out, trials)
			if out > trials/100 {
				t.Errorf("%d of %d good canaries were rolled back: want 1 %% at most", out, trials)
			}
		})
	}
}

func TestABadCanaryIsOutWithin50OfItsRequests(t *testing.T) {
	t.Parallel()
	one := arm{0.01, usual.p50, usual.sigma}
	for name, c := range map[string]struct {
		canary, stable arm
		between, worst int
	}{
		"all of them fail":                     {arm{1, usual.p50, 0}, one, 19, 10},
		"all fail, against few at the others":  {arm{1, usual.p50, 0}, one, 1, 10},
		"half of them fail":                    {arm{0.5, usual.p50, usual.sigma}, one, 19, 50},
		"half fail, against few at the others": {arm{0.5, usual.p50, usual.sigma}, one, 1, 50},
		"they take three times as long":        {arm{0.01, 3 * usual.p50, usual.sigma}, one, 19, 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(5, 3))
			var took []int
			for range 1000 {
				n, _ := run(r, c.canary, c.stable, c.between, 1000)
				if n == 0 || n > c.worst {
					t.Fatalf("out after %d attempts (0: never), want %d at most", n, c.worst)
				}
				took = append(took, n)
			}
			slices.Sort(took)
			t.Logf("out after %d attempts in the median, %d at most", took[len(took)/2], took[len(took)-1])
		})
	}
}

func TestACanaryThatWasGoodForLongIsOutSoonAfterItWentBad(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 4))
	_, rec := run(r, usual, usual, 19, 2000)
	for n := 1; n <= 50; n++ {
		var changes []change
		if rec, changes = rec.learn([]observation{{
			Outcome: arm{errors: 0.5, p50: usual.p50}.attempt(r, "canary", start.Add(time.Hour)), fingerprint: "f",
		}}, noJitter); slices.ContainsFunc(changes, func(c change) bool { return c.out != nil }) {
			t.Logf("out after %d attempts", n)
			return
		}
	}
	t.Error("it is in after 50 attempts, of which half failed")
}

// A provider's bad hour is no fault of the canary's.
func TestWhatBefallsAllIsHeldAgainstNone(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	for range 200 {
		rec := record{}
		now := start
		for _, a := range []arm{usual, {0.6, 10 * usual.p50, usual.sigma}, usual} {
			for range 200 {
				var others tally
				for range 19 {
					others.of(a.attempt(r, "stable", now))
				}
				rec, _ = rec.learn([]observation{
					{Outcome: Outcome{At: now}, fingerprint: "f", stable: others},
					{Outcome: a.attempt(r, "canary", now), fingerprint: "f"},
				}, noJitter)
			}
		}
		if why := rec.trial("f").Out; why != "" {
			t.Fatalf("it is out: %s", why)
		}
	}
}

func TestATrial(t *testing.T) {
	t.Parallel()
	bad := func(fingerprint string) []observation {
		batch := []observation{{Outcome: Outcome{At: start}, fingerprint: fingerprint, stable: tally{Attempts: 100, Failures: 1}}}
		for range trialAttempts {
			batch = append(batch, observation{Outcome: Outcome{Target: "c", Code: events.CodeTimeout, At: start}, fingerprint: fingerprint})
		}
		return batch
	}
	t.Run("has no end without others to compare with", func(t *testing.T) {
		t.Parallel()
		rec, _ := record{}.learn(slices.Repeat(bad("f")[1:], 20), noJitter)
		if rec.status(start, "f").RolledBack {
			t.Error("it is rolled back")
		}
	})
	t.Run("says how the canary did, in figures", func(t *testing.T) {
		t.Parallel()
		rec, changes := record{}.learn(bad("f"), noJitter)
		const want = "5 of its last 5 attempts failed (100.0 %), 1.0 % of 100 at the model's other targets"
		if !rec.status(start, "f").RolledBack || rec.trial("f").Out != want || len(changes) != 2 || changes[0].reason != want {
			t.Errorf("%+v, changes %+v", rec.trial("f"), changes)
		}
	})
	t.Run("stays at its end, whatever comes", func(t *testing.T) {
		t.Parallel()
		rec, _ := record{}.learn(bad("f"), noJitter)
		for range 1000 {
			rec, _ = rec.learn([]observation{{Outcome: Outcome{At: start.Add(time.Hour), Probe: true}, fingerprint: "f"}}, noJitter)
		}
		if s := rec.status(start.Add(time.Hour), "f"); !s.RolledBack || s.State != Closed {
			t.Errorf("%+v", s)
		}
	})
	t.Run("is of one configuration, and the next one is new", func(t *testing.T) {
		t.Parallel()
		rec, _ := record{}.learn(bad("f"), noJitter)
		rec, _ = rec.learn([]observation{{Outcome: Outcome{At: start.Add(time.Minute)}, fingerprint: "g"}}, noJitter)
		if rec.status(start, "g").RolledBack || !rec.status(start, "f").RolledBack {
			t.Error("of two configurations the wrong one is out")
		}
		rec, _ = rec.learn([]observation{{Outcome: Outcome{At: start.Add(time.Minute)}, fingerprint: "h"}}, noJitter)
		if len(rec.Trials) != maxTrials || rec.trial("f") != nil {
			t.Errorf("the one that was longest not on is not forgotten: %+v", rec.Trials)
		}
	})
	t.Run("counts nothing of what says nothing", func(t *testing.T) {
		t.Parallel()
		rec, _ := record{}.learn([]observation{
			{Outcome: Outcome{At: start, Code: events.CodeInvalidRequest}, fingerprint: "f"},
			{Outcome: Outcome{At: start}, fingerprint: "f"},
		}, noJitter)
		if got := rec.trial("f").Canary.Attempts; got != 1 {
			t.Errorf("%v attempts", got)
		}
	})
	t.Run("ends by latency in words of latency", func(t *testing.T) {
		t.Parallel()
		r := rand.New(rand.NewPCG(1, 1))
		_, rec := run(r, arm{0, 1100 * time.Millisecond, 0.1}, arm{0, 200 * time.Millisecond, 0.1}, 5, 100)
		if why := rec.trial("f").Out; !strings.HasPrefix(why, "its last 20 successes took 1") || !strings.Contains(why, "other targets 20") {
			t.Errorf("got %q", why)
		}
	})
	t.Run("leaves the record that it was made from as it was", func(t *testing.T) {
		t.Parallel()
		rec, _ := record{}.learn(bad("f")[:3], noJitter)
		before := *rec.trial("f")
		_, _ = rec.learn(bad("f"), noJitter)
		if *rec.trial("f") != before {
			t.Errorf("got %+v, want %+v", *rec.trial("f"), before)
		}
	})
}
