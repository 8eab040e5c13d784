package health

import (
	"fmt"
	"math"
)

// When a canary is out by its last attempts alone.
const (
	// trialStreak is how many failures in a row are looked at, whatever came before: what opens its breaker.
	trialStreak = tripInARow
	// streakOdds is how unlikely they are by the error rate of the others: they can begin at any attempt, so that this
	// is met by chance in one of a hundred trials of a thousand attempts. Five in a row do where one in ten fails.
	streakOdds = 100_000
)

// streak is the canary's failures in a row, and how the others did at the same time.
type streak struct {
	Failures int   `json:"failures,omitempty"`
	Between  tally `json:"between,omitzero"` // attempts at the others between the first of the failures and the last
	After    tally `json:"after,omitzero"`   // and since the last: they only count if another failure follows
}

// others counts attempts at the others.
func (s *streak) others(t tally) {
	if s.Failures > 0 {
		s.After.add(tally{Attempts: t.Attempts, Failures: t.Failures})
	}
}

// of counts an attempt of the canary.
func (s *streak) of(failed bool) {
	if !failed {
		*s = streak{}
		return
	}
	s.Between.add(s.After) // nothing, of the first
	s.Failures, s.After = s.Failures+1, tally{}
}

// judgeStreak looks at the failures in a row. Only what the others did between them is held against the canary: its breaker may
// have opened by what befell all, and then the others do well again before its next probe.
func (t *trial) judgeStreak() string {
	k, p := t.Streak.Failures, max(t.Streak.Between.highest(), leastErrors)
	if k < trialStreak || float64(k)*math.Log(p) > -math.Log(streakOdds) {
		return ""
	}
	return fmt.Sprintf("its last %d attempts failed, and %.1f %% of %.0f at the model's other targets in the same time",
		k, 100*t.Streak.Between.errors(), t.Streak.Between.Attempts)
}
