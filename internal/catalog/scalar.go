package catalog

import (
	"math"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// text reads a text that is not empty.
func (r *reader) text(v value, want string) (string, bool) {
	s, ok := textOf(v.node)
	switch {
	case !ok:
		if k := kindOf(v.node); isNumber(v.node) || k == "true or false" {
			r.failf(v, "expected %s, got %s: put it in quotes", want, k)
			return "", false
		}
		r.wrong(v, want)
		return "", false
	case s == "":
		r.failf(v, "is empty: expected %s", want)
		return "", false
	default:
		return s, true
	}
}

func textOf(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		if n.Value != nil {
			return n.Value.Value, true
		}
	}
	return "", false
}

func isNumber(node ast.Node) bool {
	switch node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return true
	default:
		return false
	}
}

// flag reads true or false.
func (r *reader) flag(v value) bool {
	n, ok := v.node.(*ast.BoolNode)
	if !ok {
		r.wrong(v, "true or false")
		return false
	}
	return n.Value
}

// whole reads a whole number of low to high.
func (r *reader) whole(v value, low, high int) int {
	n, ok := v.node.(*ast.IntegerNode)
	if !ok {
		r.wrong(v, "a whole number")
		return 0
	}
	i, ok := intOf(n)
	if !ok || i < int64(low) || i > int64(high) {
		r.failf(v, "is out of range: expected a whole number from %d to %d", low, high)
		return 0
	}
	return int(i)
}

func intOf(n *ast.IntegerNode) (int64, bool) {
	switch i := n.Value.(type) {
	case int64:
		return i, true
	case uint64:
		return int64(i), i <= math.MaxInt64
	default:
		return 0, false
	}
}

// isZero reports whether the value is a plain 0, which needs no unit.
func isZero(v value) bool {
	n, ok := v.node.(*ast.IntegerNode)
	if !ok {
		return false
	}
	i, ok := intOf(n)
	return ok && i == 0
}

// seed reads any whole number that is not negative.
func (r *reader) seed(v value) uint64 {
	n, ok := v.node.(*ast.IntegerNode)
	if !ok {
		r.wrong(v, "a whole number")
		return 0
	}
	if u, ok := n.Value.(uint64); ok {
		return u
	}
	i, ok := intOf(n)
	if !ok || i < 0 {
		r.failf(v, "is out of range: expected a whole number from 0")
		return 0
	}
	return uint64(i)
}

// oneOf reads one of the words.
func oneOf[T ~string](r *reader, v value, words ...T) T {
	names := make([]string, len(words))
	for i, w := range words {
		names[i] = string(w)
	}
	list := strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
	s, ok := textOf(v.node)
	if !ok {
		r.wrong(v, list)
		return ""
	}
	for i, name := range names {
		if s == name {
			return words[i]
		}
	}
	if near, ok := nearest(s, names); ok {
		r.failf(v, "is none of %s: did you mean %s?", list, near)
	} else {
		r.failf(v, "is none of %s", list)
	}
	return ""
}

// distinct reads a list of texts, no two the same, and calls read for each.
func (r *reader) distinct(list []value, want string, read func(value, string)) {
	first := map[string]int{}
	for i, item := range list {
		s, ok := r.text(item, want)
		if !ok {
			continue
		}
		if j, twice := first[s]; twice {
			r.failf(item, "is the same as item %d: remove one", j)
			continue
		}
		first[s] = i
		read(item, s)
	}
}
