package replay

import (
	"cmp"
	"slices"
	"time"

	"baton.dev/baton/events"
)

// estimate works out what the lines do not say: how the targets did, what a hand-over takes, what a model uses.
func (t *Trace) estimate(all []*Message) {
	waits := waitsOf(all)
	t.targets = map[string]*history{}
	var decisions, dispatches []time.Duration
	for _, m := range all {
		before := m.Arrived
		for _, a := range m.Attempts {
			if !before.IsZero() && !a.Scheduled.IsZero() {
				decisions = append(decisions, max(a.Scheduled.Sub(before), 0))
			}
			before = a.Ended
			if w, ok := a.wait(); ok && a.NotBefore.IsZero() {
				dispatches = append(dispatches, w)
			}
			if a.called() && !a.known && !a.Scheduled.IsZero() {
				span := max(a.Ended.Sub(a.ready()), 0)
				a.Service, a.known = max(span-waits[a.Target].near(a.Ended), 0), true
			}
			t.learn(m, a)
		}
	}
	for _, h := range t.targets {
		h.sort()
	}
	t.decision = quantile(decisions, 0.5)
	t.dispatch = quantile(dispatches, 0.1)
	t.usage = meanUsage(all)
}

// learn adds the attempt to the history of its target.
func (t *Trace) learn(m *Message, a *Attempt) {
	if !a.called() || !a.known {
		return
	}
	h := t.targets[a.Target]
	if h == nil {
		h = &history{own: map[string][]outcome{}}
		t.targets[a.Target] = h
	}
	h.add(m.ID, outcome{began: a.Ended.Add(-a.Service), service: a.Service, code: a.Code})
}

// wait returns how long the attempt waited between its decision, or the time it had to wait until, and its call, where the
// trace says so.
func (a *Attempt) wait() (time.Duration, bool) {
	if a.Code != "" || a.Ended.IsZero() || !a.known || a.Scheduled.IsZero() {
		return 0, false
	}
	return max(a.Ended.Sub(a.ready())-a.Service, 0), true
}

// waits are how long calls of one target waited, by when they ended.
type waits []waited

type waited struct {
	ended time.Time
	wait  time.Duration
}

func waitsOf(all []*Message) map[string]waits {
	by := map[string]waits{}
	for _, m := range all {
		for _, a := range m.Attempts {
			if w, ok := a.wait(); ok {
				by[a.Target] = append(by[a.Target], waited{a.Ended, w})
			}
		}
	}
	for _, w := range by {
		slices.SortFunc(w, func(x, y waited) int { return x.ended.Compare(y.ended) })
	}
	return by
}

// near returns the wait that ended nearest to the time; 0 if there is none.
func (w waits) near(at time.Time) time.Duration {
	i, _ := slices.BinarySearchFunc(w, at, func(x waited, at time.Time) int { return x.ended.Compare(at) })
	switch {
	case len(w) == 0:
		return 0
	case i == len(w), i > 0 && at.Sub(w[i-1].ended) <= w[i].ended.Sub(at):
		return w[i-1].wait
	default:
		return w[i].wait
	}
}

// meanUsage returns what a call uses in the mean, by model, and under "" over all.
func meanUsage(all []*Message) map[string]*events.Usage {
	sums, counts := map[string]*events.Usage{}, map[string]int{}
	for _, m := range all {
		u := m.usage()
		if u == nil {
			continue
		}
		for _, model := range []string{m.Model, ""} {
			if sums[model] == nil {
				sums[model] = &events.Usage{}
			}
			sum := sums[model]
			sum.PromptTokens += u.PromptTokens
			sum.CompletionTokens += u.CompletionTokens
			sum.TotalTokens += u.TotalTokens
			counts[model]++
			if m.Model == "" {
				break // it is headless: its model is not known
			}
		}
	}
	for model, sum := range sums {
		n := counts[model]
		half := n / 2
		sum.PromptTokens = (sum.PromptTokens + half) / n
		sum.CompletionTokens = (sum.CompletionTokens + half) / n
		sum.TotalTokens = (sum.TotalTokens + half) / n
	}
	return sums
}

// usage returns what the message's own call used; nil if the trace does not say.
func (m *Message) usage() *events.Usage {
	if m.End != nil && m.End.Code == "" {
		return m.End.Usage // of a cached one too: it is that of the call which was made
	}
	return nil
}

// usageOf returns what a call for the message uses: its own, or the mean of its model, or of all.
func (t *Trace) usageOf(m *Message) events.Usage {
	for _, u := range []*events.Usage{m.usage(), t.usage[m.Model], t.usage[""]} {
		if u != nil {
			return *u
		}
	}
	return events.Usage{}
}

// quantile returns the nearest-rank quantile of the durations, which it sorts; 0 if there are none.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[rank(len(all), q)]
}

// rank returns the index of the nearest-rank quantile among n sorted values (Hyndman and Fan 1996, type 1).
func rank(n int, q float64) int {
	i := int(q*float64(n)+0.999999999) - 1 // rounded up; the product of two such floats is off by less
	return min(max(i, 0), n-1)
}

// compareOutcomes orders outcomes by when they began.
func compareOutcomes(a, b outcome) int {
	return cmp.Or(a.began.Compare(b.began), cmp.Compare(a.service, b.service), cmp.Compare(a.code, b.code))
}
