package replay

import (
	"maps"
	"slices"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
)

// book counts what became of requests.
type book struct {
	requests, completed, cached, unfinished int
	failed                                  map[string]int
	latencies                               []time.Duration
	calling, total                          time.Duration // of the requests that ended: in calls, and altogether
	attempts                                int
	targets                                 map[string]*account
}

// account is what one target did.
type account struct {
	attempts, errors, shadows int
	calling                   time.Duration
	unpriced                  bool // its calls are not in the cost
	cost                      catalog.Money
}

func newBook() *book { return &book{failed: map[string]int{}, targets: map[string]*account{}} }

func (b *book) account(target string) *account {
	a := b.targets[target]
	if a == nil {
		a = &account{}
		b.targets[target] = a
	}
	return a
}

// attempt counts one call, which a request waited for.
func (b *book) attempt(target, code string, took time.Duration) {
	b.attempts++
	a := b.account(target)
	a.attempts++
	a.calling += took
	if code != "" {
		a.errors++
	}
}

// end counts a request that ended, after the time that it took and the part of it that was spent in calls.
func (b *book) end(code string, cached bool, took, calling time.Duration) {
	switch {
	case code != "":
		b.failed[code]++
	case cached:
		b.cached++
		fallthrough
	default:
		b.completed++
	}
	b.latencies = append(b.latencies, took)
	b.total += took
	b.calling += min(calling, took)
}

// recorded returns the book of what the trace says. prices are those of its time, or the nearest to them that there are.
func (t *Trace) recorded(prices *catalog.Catalog) *book {
	b := newBook()
	for _, m := range t.Messages {
		b.requests++
		var calling time.Duration
		for _, a := range m.Attempts {
			if !a.called() {
				continue
			}
			b.attempt(a.Target, a.Code, a.Service)
			calling += a.Service
			if a.Code != "" {
				continue
			}
			if target, _, ok := prices.Target(a.Target); ok {
				b.account(a.Target).cost += ledger.Cost(target.Price, t.usageOf(m))
			} else {
				b.account(a.Target).unpriced = true
			}
		}
		if m.End == nil {
			b.unfinished++
			continue
		}
		b.end(m.End.Code, m.End.Cached, max(m.End.At.Sub(m.Arrived), 0), calling)
	}
	return b
}

// side returns the figures of the book.
func (b *book) side() Side {
	failed := 0
	for _, n := range b.failed {
		failed += n
	}
	s := Side{
		Requests: b.requests, Completed: b.completed, Cached: b.cached, Failed: failed, FailedByCode: maps.Clone(b.failed),
		Unfinished: b.unfinished, Attempts: b.attempts, AttemptsPerRequest: ratio(b.attempts, b.requests),
		Latency: Latency{
			P50: inMilliseconds(quantile(b.latencies, 0.5)), P90: inMilliseconds(quantile(b.latencies, 0.9)),
			P99: inMilliseconds(quantile(b.latencies, 0.99)), Max: inMilliseconds(quantile(b.latencies, 1)),
		},
	}
	if b.total > 0 {
		s.QueueShare = 1 - float64(b.calling)/float64(b.total)
	}
	for _, name := range slices.Sorted(maps.Keys(b.targets)) {
		a := b.targets[name]
		t := TargetFigures{
			Target: name, Attempts: a.attempts, Share: ratio(a.attempts, b.attempts), Errors: a.errors,
			ErrorRate: ratio(a.errors, a.attempts), Shadows: a.shadows, Cost: a.cost, Unpriced: a.unpriced,
		}
		if a.attempts > 0 {
			t.MeanMS = inMilliseconds(a.calling / time.Duration(a.attempts))
		}
		s.Cost += a.cost
		s.Targets = append(s.Targets, t)
	}
	return s
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// inMilliseconds returns the duration in milliseconds, to the microsecond.
func inMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
