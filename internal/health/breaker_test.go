package health

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func noJitter(string, int) float64 { return 0 }

// script is a breaker, its record and a clock, and what is done to it in order.
type script struct {
	*testing.T

	now     time.Time
	record  record
	changes []change
}

func newScript(t *testing.T) *script { return &script{T: t, now: start} }

func (s *script) take(o Outcome) *script {
	o.Target = "a"
	if o.At.IsZero() {
		o.At = s.now
	}
	var changes []change
	s.record, changes = s.record.learn([]observation{{Outcome: o}}, noJitter)
	s.changes = append(s.changes, changes...)
	return s
}

func (s *script) times(n int, code string) *script {
	for range n {
		s.take(Outcome{Code: code})
	}
	return s
}

func (s *script) probe(code string) *script { return s.take(Outcome{Code: code, Probe: true}) }

func (s *script) pass(d time.Duration) *script { s.now = s.now.Add(d); return s }

func (s *script) is(want State) *script {
	s.Helper()
	if got := s.record.Breaker.state(s.now); got != want {
		s.Errorf("after %v: %s, want %s", s.now.Sub(start), got, want)
	}
	return s
}

// opened is a breaker that opened at the start.
func opened(t *testing.T) *script {
	return newScript(t).times(5, events.CodeTimeout).is(Open)
}

func TestWhoseDoingAnOutcomeIs(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]verdict{
		"":                         well,
		events.CodeTimeout:         ill,
		events.CodeUnreachable:     ill,
		events.CodeUnavailable:     ill,
		events.CodeRateLimited:     ill,
		events.CodeQuotaExhausted:  ill,
		events.CodeUnauthorized:    ill,
		events.CodeUnknownModel:    ill,
		events.CodeUnusableOutput:  ill,
		events.CodeInvalidRequest:  silent,
		events.CodeContentRefused:  silent,
		events.CodeOutputTooLarge:  silent,
		events.CodeDeadline:        silent,
		events.CodeExpired:         silent,
		events.CodeTargetGone:      silent,
		events.CodeBreakerOpen:     silent,
		events.CodeBudgetSpent:     silent,
		events.CodeNoTarget:        silent,
		events.CodeAttemptsSpent:   silent,
		events.CodeModelNotOffered: silent,
	} {
		if got := verdictOf(code); got != want {
			t.Errorf("%q: %d, want %d", code, got, want)
		}
		s := newScript(t).times(50, code)
		if want != ill {
			s.is(Closed)
		}
	}
}

func TestABreakerOpens(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*script){
		"at the fifth failure in a row": func(s *script) { s.times(4, events.CodeTimeout).is(Closed).times(1, events.CodeUnreachable).is(Open) },
		"not when a success comes between": func(s *script) {
			s.times(4, events.CodeTimeout).times(1, "").times(4, events.CodeTimeout).is(Closed)
		},
		"also when a refusal of the caller's request comes between": func(s *script) {
			s.times(4, events.CodeTimeout).times(9, events.CodeInvalidRequest).times(1, events.CodeTimeout).is(Open)
		},
		"when half of twenty attempts failed": func(s *script) {
			for range 9 {
				s.times(1, events.CodeTimeout).times(1, "")
			}
			s.times(1, "").is(Closed).times(1, events.CodeTimeout).is(Open) // the twentieth
		},
		"not when half of nineteen failed": func(s *script) {
			s.times(1, "")
			for range 9 {
				s.times(1, "").times(1, events.CodeTimeout)
			}
			s.is(Closed)
		},
		"not when less than half of many failed": func(s *script) {
			for range 100 {
				s.times(3, "").times(2, events.CodeTimeout)
			}
			s.is(Closed)
		},
		"not by what is more than a minute old": func(s *script) {
			for range 9 {
				s.times(1, events.CodeTimeout).times(1, "")
			}
			s.times(1, "").pass(time.Minute).times(1, events.CodeTimeout).is(Closed)
		},
		"by what is less than a minute old": func(s *script) {
			for range 9 {
				s.times(1, events.CodeTimeout).times(1, "")
			}
			s.times(1, "").pass(49*time.Second).times(1, events.CodeTimeout).is(Open)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(newScript(t))
		})
	}
}

func TestATargetThatAsksToBeLeftAloneIs(t *testing.T) {
	t.Parallel()
	in := start.Add
	for name, c := range map[string]struct {
		Outcome

		want time.Duration // 0: closed
	}{
		"rate limited, with a time":                 {Outcome{Code: events.CodeRateLimited, RetryAt: in(90 * time.Second)}, 90 * time.Second},
		"rate limited, without":                     {Outcome{Code: events.CodeRateLimited}, 0},
		"rate limited, with a time that is over":    {Outcome{Code: events.CodeRateLimited, RetryAt: in(-time.Second)}, 0},
		"rate limited, for now":                     {Outcome{Code: events.CodeRateLimited, RetryAt: in(0)}, 0},
		"unavailable, with a time":                  {Outcome{Code: events.CodeUnavailable, RetryAt: in(time.Second)}, time.Second},
		"unavailable, without":                      {Outcome{Code: events.CodeUnavailable}, 0},
		"quota, with a time":                        {Outcome{Code: events.CodeQuotaExhausted, RetryAt: in(3 * time.Hour)}, 3 * time.Hour},
		"quota, without":                            {Outcome{Code: events.CodeQuotaExhausted}, time.Minute},
		"quota, for longer than anyone is believed": {Outcome{Code: events.CodeQuotaExhausted, RetryAt: in(1000 * time.Hour)}, 24 * time.Hour},
		"a timeout has no time":                     {Outcome{Code: events.CodeTimeout, RetryAt: in(time.Hour)}, 0},
		"a success has none":                        {Outcome{RetryAt: in(time.Hour)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t).take(c.Outcome)
			if c.want == 0 {
				s.is(Closed)
				return
			}
			s.is(Open).pass(c.want - 1).is(Open).pass(1).is(HalfOpen)
		})
	}
}

func TestPauses(t *testing.T) {
	t.Parallel()
	for n, want := range []int{5, 10, 20, 40, 60, 60, 60} {
		want := time.Duration(want) * time.Second
		if got := pause("a", n, noJitter); got != want {
			t.Errorf("after %d probes that failed: %v, want %v", n, got, want)
		}
		most := func(string, int) float64 { return math.Nextafter(1, 0) }
		if got := pause("a", n, most); got >= want || got < want*4/5-1 {
			t.Errorf("after %d probes that failed, with jitter: %v, want a fifth less than %v", n, got, want)
		}
	}
	if got := pause("a", math.MaxInt, noJitter); got != time.Minute {
		t.Errorf("after very many probes: %v", got)
	}
}

func TestProbesSayWhatComesNext(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*script){
		"two that succeed close it": func(s *script) { s.pass(5 * time.Second).probe("").is(HalfOpen).probe("").is(Closed) },
		"one that fails opens it for twice as long, up to a minute": func(s *script) {
			for _, seconds := range []int{5, 10, 20, 40, 60, 60} {
				s.pass(time.Duration(seconds)*time.Second - 1).is(Open).pass(1).is(HalfOpen).probe(events.CodeTimeout).is(Open)
			}
		},
		"two that succeed must follow each other": func(s *script) {
			s.pass(5 * time.Second).probe("").probe(events.CodeTimeout).is(Open).pass(10 * time.Second).probe("").is(HalfOpen).probe("").is(Closed)
		},
		"one that says nothing changes nothing": func(s *script) {
			s.pass(5 * time.Second).probe("").probe(events.CodeInvalidRequest).probe(events.CodeBudgetSpent).is(HalfOpen).probe("").is(Closed)
		},
		"a target that asks for more time gets it": func(s *script) {
			s.pass(5 * time.Second).take(Outcome{Code: events.CodeRateLimited, RetryAt: s.now.Add(time.Hour), Probe: true})
			s.pass(time.Hour - 1).is(Open).pass(1).is(HalfOpen)
		},
		"a target that asks for less than the pause does not": func(s *script) {
			s.pass(5 * time.Second).take(Outcome{Code: events.CodeRateLimited, RetryAt: s.now.Add(time.Second), Probe: true})
			s.pass(10*time.Second - 1).is(Open).pass(1).is(HalfOpen)
		},
		"a breaker that closed has forgotten what was": func(s *script) {
			s.pass(5*time.Second).probe("").probe("").times(4, events.CodeTimeout).is(Closed).times(1, events.CodeTimeout).is(Open)
			s.pass(5 * time.Second).is(HalfOpen)
		},
		"one of before it opened again does not count": func(s *script) {
			s.pass(5 * time.Second).probe(events.CodeTimeout).pass(10 * time.Second)
			slow := Outcome{Latency: 11 * time.Second, Probe: true}
			s.take(slow).take(slow).is(HalfOpen)
		},
		"one that ends when the breaker is open does not count": func(s *script) {
			s.probe("").probe("").is(Open).probe(events.CodeTimeout).pass(5 * time.Second).is(HalfOpen)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(opened(t))
		})
	}
}

func TestCallsThatBeganBeforeTheBreakerMovedDoNotMoveIt(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*script){
		"late successes do not close it": func(s *script) { s.times(99, "").is(Open).pass(5*time.Second).times(99, "").is(HalfOpen) },
		"late failures do not lengthen it": func(s *script) {
			s.pass(4*time.Second).times(99, events.CodeTimeout).pass(time.Second).is(HalfOpen).times(99, events.CodeTimeout).is(HalfOpen)
		},
		"late failures do not open one that closed meanwhile": func(s *script) {
			s.pass(5 * time.Second).probe("").probe("").pass(time.Second)
			for range 50 {
				s.take(Outcome{Code: events.CodeTimeout, Latency: 2 * time.Second})
			}
			s.is(Closed)
		},
		"late successes do not end a row of failures": func(s *script) {
			s.pass(5*time.Second).probe("").probe("").pass(time.Second).times(4, events.CodeTimeout)
			s.take(Outcome{Latency: 2 * time.Second}).times(1, events.CodeTimeout).is(Open)
		},
		"one in which the target asks for more time lengthens it": func(s *script) {
			s.take(Outcome{Code: events.CodeRateLimited, RetryAt: s.now.Add(time.Minute), Latency: time.Hour})
			s.pass(time.Minute - 1).is(Open).pass(1).is(HalfOpen).probe(events.CodeTimeout).pass(10 * time.Second).is(HalfOpen)
		},
		"one in which the target asks for less does not shorten it": func(s *script) {
			s.take(Outcome{Code: events.CodeRateLimited, RetryAt: s.now.Add(time.Second)})
			s.pass(5*time.Second - 1).is(Open)
		},
		"one in which the target asks for more time opens one that is half-open": func(s *script) {
			s.pass(6 * time.Second).take(Outcome{Code: events.CodeRateLimited, RetryAt: s.now.Add(time.Second)}).is(Open)
		},
		"one in which the target asks for time opens one that closed": func(s *script) {
			s.pass(5 * time.Second).probe("").probe("").is(Closed)
			s.take(Outcome{Code: events.CodeRateLimited, RetryAt: s.now.Add(time.Second), Latency: time.Hour}).is(Open)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(opened(t))
		})
	}
}

func TestAChangeSaysWhatAndWhy(t *testing.T) {
	t.Parallel()
	s := opened(t).pass(5 * time.Second).probe(events.CodeUnreachable).pass(10 * time.Second).probe("").probe("")
	s.take(Outcome{Code: events.CodeQuotaExhausted})
	var got strings.Builder
	for _, c := range s.changes {
		fmt.Fprintf(&got, "%s > %s: %s\n", c.from, c.to, c.reason)
	}
	want := "closed > open: 5 failures in a row, the last timeout\n" +
		"half_open > open: a probe failed: unreachable\n" +
		"half_open > closed: 2 probes succeeded\n" +
		"closed > open: the target takes no more calls: quota_exhausted\n"
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}

// What a process that was cut off for long comes back with is history.
func TestWhatIsOlderThanTheWindowMovesNothing(t *testing.T) {
	t.Parallel()
	s := newScript(t).take(Outcome{At: start.Add(span + 1)})
	s.times(9, events.CodeTimeout).is(Closed)
	s.take(Outcome{Code: events.CodeQuotaExhausted, RetryAt: start.Add(time.Hour)}).is(Closed)
	s = newScript(t).take(Outcome{At: start.Add(span)})
	s.times(5, events.CodeTimeout).is(Open)
}
