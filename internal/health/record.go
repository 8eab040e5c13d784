package health

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"baton.dev/baton/events"
)

const (
	// maxTrials is how many configurations of a canary are remembered: the one before, and the one that is rolled out, since
	// for a while some processes have the one and some the other.
	maxTrials = 2
	maxRecord = 4 << 10 // bytes of a record; one with all it can have is a quarter of that
)

// record is what is known of one target, as the processes share it. The zero value is that nothing is.
type record struct {
	Written string  `json:"written,omitempty"` // different each time it is written, so that no two writers write the same
	Breaker breaker `json:"breaker"`
	Figures figures `json:"figures"`
	Trials  []trial `json:"trials,omitempty"` // of a canary, one a configuration; never changed in place
}

// observation is what a record learns in one step.
type observation struct {
	Outcome
	fingerprint string // of the canary's configuration whose trial this is part of; "": the target is no canary
	stable      tally  // attempts at the model's other targets; where there are any, there is no outcome
	out         string // why the canary is out, as this process has judged already
	told        bool   // what it changes was logged, when this process was alone
}

// learn returns the record after the observations, in their order, and what changed. It is a pure function of what it is
// given; the time is that of each observation.
func (r record) learn(batch []observation, jitter func(target string, n int) float64) (record, []change) {
	r.Trials = slices.Clone(r.Trials)
	var changes []change
	for i := range batch {
		o := &batch[i]
		if c, ok := r.observeTrial(o); ok {
			c.by = i
			changes = append(changes, c)
		}
		if o.stable.Attempts > 0 {
			continue
		}
		// What was seen long before the newest comes from a process that was cut off: it moves nothing.
		old := r.Figures.At.Sub(o.At) > span
		if events.Begun(o.Code) {
			r.Figures.add(o.Outcome)
		}
		if old {
			continue
		}
		if c, ok := r.Breaker.take(o.Outcome, jitter); ok {
			c.by = i
			changes = append(changes, c)
		}
	}
	return r, changes
}

// observeTrial counts the observation in its trial, and judges.
func (r *record) observeTrial(o *observation) (change, bool) {
	if o.fingerprint == "" {
		return change{}, false
	}
	t := r.onTrial(o.fingerprint, o.At)
	switch {
	case t.Out != "":
		return change{}, false
	case o.stable.Attempts > 0:
		t.Stable.add(o.stable)
		t.Streak.others(o.stable)
	case verdictOf(o.Code) == silent:
		return change{}, false
	default:
		t.Canary.of(o.Outcome)
		t.Streak.of(o.Code != "")
	}
	if t.Out = o.out; t.Out == "" {
		t.Out = t.judge()
	}
	if t.Out != "" {
		state, shown := r.Breaker.state(o.At), *t
		return change{from: state, to: state, at: o.At, reason: t.Out, out: &shown}, true
	}
	if t.Canary.Attempts >= trialMemory {
		t.Canary.halve()
		t.Stable.halve()
	}
	return change{}, false
}

// onTrial returns the trial of the configuration, which may be a new one, in the place of the one that was longest not on.
func (r *record) onTrial(fingerprint string, now time.Time) *trial {
	i := slices.IndexFunc(r.Trials, func(t trial) bool { return t.Fingerprint == fingerprint })
	if i < 0 {
		if len(r.Trials) >= maxTrials {
			oldest := slices.MinFunc(r.Trials, func(a, b trial) int { return a.Seen.Compare(b.Seen) })
			r.Trials = slices.DeleteFunc(r.Trials, func(t trial) bool { return t.Fingerprint == oldest.Fingerprint })
		}
		i = len(r.Trials)
		r.Trials = append(r.Trials, trial{Fingerprint: fingerprint})
	}
	if now.After(r.Trials[i].Seen) {
		r.Trials[i].Seen = now
	}
	return &r.Trials[i]
}

// trial returns the trial of the configuration, and nil if there is none.
func (r *record) trial(fingerprint string) *trial {
	if i := slices.IndexFunc(r.Trials, func(t trial) bool { return t.Fingerprint == fingerprint }); i >= 0 && fingerprint != "" {
		return &r.Trials[i]
	}
	return nil
}

// status returns what the record says of its target at the time, under the configuration.
func (r *record) status(now time.Time, fingerprint string) Status {
	seen := r.Breaker.Window.at(now)
	s := Status{
		State: r.Breaker.state(now), Attempts: float64(seen.Attempts), Failures: float64(seen.Failures),
		Latency: r.Figures.latency(), Rate: r.Figures.rate(now),
	}
	if s.State == Open {
		s.Until = r.Breaker.Until
	}
	t := r.trial(fingerprint)
	s.RolledBack = t != nil && t.Out != ""
	return s
}

// known reports whether the record says anything.
func (r *record) known() bool { return !r.Figures.At.IsZero() || len(r.Trials) > 0 }

// encode returns the record as it is kept: JSON.
func (r *record) encode() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("health: encode record: %w", err)
	}
	return b, nil
}

// decode reads a record as it is kept; of no bytes, it is that of a target of which nothing is known. What no process can
// have written by now is refused, whatever wrote it: a time in the far future would keep a target out for ever.
func decode(b []byte, now time.Time) (record, error) {
	var r record
	if len(b) == 0 {
		return r, nil
	}
	if len(b) > maxRecord {
		return record{}, fmt.Errorf("health: decode record: %d bytes are over the limit of %d", len(b), maxRecord)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, fmt.Errorf("health: decode record: %w", err)
	}
	if !r.plausible(now) {
		return record{}, errors.New("health: decode record: has values that no process writes")
	}
	return r, nil
}

// plausible reports whether the record can have been written by now, by clocks that are not far apart.
func (r *record) plausible(now time.Time) bool {
	const (
		skew = time.Hour
		most = 1e15 // of a sum
	)
	b, f := &r.Breaker, &r.Figures
	latest := now.Add(skew)
	if b.Since.After(latest) || f.First.After(latest) || f.At.After(latest) || f.At.Before(f.First) ||
		b.Until.After(latest.Add(longestRetry)) || b.Window.Slot < 0 || b.Window.Slot > slotOf(latest) ||
		min(b.Failed, b.Passed, b.Streak) < 0 || max(b.Failed, b.Passed, b.Streak) > 1e9 || len(r.Trials) > maxTrials {
		return false
	}
	sums := []float64{f.Ended, f.Good, f.Took}
	for _, c := range b.Window.Count {
		if c.Failures < 0 || c.Failures > c.Attempts || c.Attempts > most {
			return false
		}
	}
	for _, t := range r.Trials {
		if t.Fingerprint == "" || strings.ContainsFunc(t.Fingerprint, func(c rune) bool { return c > '~' || c <= ' ' }) ||
			t.Seen.After(latest) || t.Streak.Failures < 0 || t.Streak.Failures > 1e9 {
			return false
		}
		for _, n := range []tally{t.Canary, t.Stable, t.Streak.Between, t.Streak.After} {
			if n.Failures > n.Attempts {
				return false
			}
			sums = append(sums, n.Attempts, n.Failures, n.Took, n.Squares)
		}
	}
	return !slices.ContainsFunc(sums, func(s float64) bool { return math.IsNaN(s) || s < 0 || s > most })
}
