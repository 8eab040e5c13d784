package catalog

import (
	"strings"
	"time"
)

// maxAnswer bounds what a simulated model answers: some megabytes of text.
const maxAnswer = 1_000_000

// ParseSimulate returns what a text such as {p50: 120ms, p99: 400ms, error_rate: 0.01, tokens: 64, seed: 1} says, which is
// the value of simulate in a file in one line; the braces may be left out. Defaults and rules are those of the file. The
// error is always a [*Faults], whose faults call the text by the name simulate.
func ParseSimulate(text string) (Simulate, error) {
	src, added := text, 0
	if begin := strings.TrimLeft(text, " "); begin == "" || !strings.ContainsRune("{[", rune(begin[0])) {
		src, added = "{"+text+"}", 1
	}
	r, root, err := newReader("simulate", "", []byte(src))
	if err == nil {
		s := r.simulate(r.at(root, ""))
		if err = r.verdict(); err == nil {
			return *s, nil
		}
	}
	for i := range err.list {
		if f := &err.list[i]; f.Line == 1 {
			f.Column = max(1, f.Column-added)
		}
	}
	return Simulate{}, err
}

func simulated() *Simulate {
	return &Simulate{P50: 120 * time.Millisecond, P99: 400 * time.Millisecond, Tokens: 64, Seed: 1}
}

func (r *reader) simulate(v value) *Simulate {
	s := simulated()
	before := len(r.faults)
	has := r.object(v, fields{
		"p50":        func(v value) { s.P50 = r.duration(v) },
		"p99":        func(v value) { s.P99 = r.duration(v) },
		"error_rate": func(v value) { s.ErrorRate = r.share(v) },
		"tokens":     func(v value) { s.Tokens = r.whole(v, 1, maxAnswer) },
		"seed":       func(v value) { s.Seed = r.seed(v) },
	})
	p99, given := has["p99"]
	_, both := has["p50"]
	switch {
	case s.P50 <= s.P99 || len(r.faults) > before:
	case given && both:
		r.failf(p99, "is less than p50: raise it")
	case given:
		s.P50 = s.P99
	default:
		s.P99 = s.P50
	}
	return s
}
