package catalog

import (
	"regexp"
	"strconv"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// duration reads a duration with its unit and without a sign, or a 0 without either.
func (r *reader) duration(v value) time.Duration {
	const want = "a duration such as 120ms, 60s or 1h30m"
	if isZero(v) {
		return 0
	}
	s, ok := textOf(v.node)
	if !ok {
		if isNumber(v.node) {
			r.failf(v, "has no unit: expected %s", want)
		} else {
			r.wrong(v, want)
		}
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || s[0] == '-' || s[0] == '+' {
		r.failf(v, "is no duration: expected %s", want)
		return 0
	}
	return d
}

// positive reads a duration that is more than 0.
func (r *reader) positive(v value) time.Duration {
	before := len(r.faults)
	d := r.duration(v)
	if d == 0 && len(r.faults) == before {
		r.failf(v, "must be more than 0")
	}
	return d
}

// percentage reads a share of requests, as 5% or a plain 0, and returns it as 0 to 1.
func (r *reader) percentage(v value) float64 {
	const want = "a percentage from 0% to 100%, such as 5%"
	if isZero(v) {
		return 0
	}
	s, ok := textOf(v.node)
	if !ok {
		if isNumber(v.node) {
			r.failf(v, "has no percent sign: expected %s", want)
		} else {
			r.wrong(v, want)
		}
		return 0
	}
	share, ok := percentOf(s)
	if !ok {
		r.failf(v, "is no share: expected %s", want)
	}
	return share
}

// share reads a share as a percentage or as a number from 0 to 1.
func (r *reader) share(v value) float64 {
	const want = "a share from 0 to 1, such as 0.01, or a percentage"
	switch n := v.node.(type) {
	case *ast.FloatNode:
		if n.Value >= 0 && n.Value <= 1 {
			return n.Value
		}
	case *ast.IntegerNode:
		if i, ok := intOf(n); ok && (i == 0 || i == 1) {
			return float64(i)
		}
	case *ast.StringNode:
		if share, ok := percentOf(n.Value); ok {
			return share
		}
	default:
		r.wrong(v, want)
		return 0
	}
	r.failf(v, "is out of range: expected %s", want)
	return 0
}

var (
	percent = regexp.MustCompile(`^([0-9]{1,3}(?:\.[0-9]+)?)%$`)
	perTime = regexp.MustCompile(`^([0-9]{1,9}(?:\.[0-9]+)?)/([smh])$`)
	sized   = regexp.MustCompile(`^([0-9]{1,9})(B|KB|KiB|MB|MiB|GB|GiB)$`)
)

func percentOf(s string) (float64, bool) {
	m := percent.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	p, err := strconv.ParseFloat(m[1], 64)
	if err != nil || p > 100 {
		return 0, false
	}
	return p / 100, true
}

// rate reads a rate that is more than 0 and returns it a second.
func (r *reader) rate(v value) float64 {
	const want = "a rate such as 500/s, 30/m or 10/h"
	s, ok := textOf(v.node)
	if !ok {
		if isNumber(v.node) {
			r.failf(v, "has no unit of time: expected %s", want)
		} else {
			r.wrong(v, want)
		}
		return 0
	}
	m := perTime.FindStringSubmatch(s)
	if m == nil {
		r.failf(v, "is no rate: expected %s", want)
		return 0
	}
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[m[2]]
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil || n <= 0 {
		r.failf(v, "must be more than 0: leave the key out for no limit")
		return 0
	}
	return n / seconds
}

// size reads a number of bytes from low to high, plain or with a unit.
func (r *reader) size(v value, low, high int64) int64 {
	const want = "a size such as 256KiB, or a number of bytes"
	var n int64
	switch node := v.node.(type) {
	case *ast.IntegerNode:
		n, _ = intOf(node)
	case *ast.StringNode:
		m := sized.FindStringSubmatch(node.Value)
		if m == nil {
			r.failf(v, "is no size: expected %s", want)
			return 0
		}
		count, _ := strconv.ParseInt(m[1], 10, 64) // at most nine digits
		n = count * map[string]int64{"B": 1, "KB": 1e3, "KiB": 1 << 10, "MB": 1e6, "MiB": 1 << 20, "GB": 1e9, "GiB": 1 << 30}[m[2]]
	default:
		r.wrong(v, want)
		return 0
	}
	if n < low || n > high {
		r.failf(v, "is out of range: expected %s to %s", bytesIn(low), bytesIn(high))
		return 0
	}
	return n
}

// bytesIn returns a number of bytes in the largest unit that it is a multiple of.
func bytesIn(n int64) string {
	if n == 0 {
		return "0"
	}
	units := []string{"B", "KiB", "MiB", "GiB"}
	i := 0
	for ; i < len(units)-1 && n%1024 == 0; i++ {
		n /= 1024
	}
	return strconv.FormatInt(n, 10) + units[i]
}
